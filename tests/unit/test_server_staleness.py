"""A reply that was begun without the store says so, even where the store came back meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

from aggregator.server import group_operations
from aggregator.view.query_messages import QueryResult
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import DIALECTS
from aggregator.wire.parse import parse

SECOND = 1_000_000
BODY = (
    f'<b><rp:QueryResourceProperties xmlns:rp="{DIALECTS["oasis"].rp}"><rp:QueryExpression '
    f'Dialect="{ns.XPATH_1}">count(//*)</rp:QueryExpression></rp:QueryResourceProperties></b>'
)


def test_an_evaluation_that_outlasts_the_outage_is_stale_all_the_same() -> None:
    view = MagicMock(sequence=3, stale_since=7 * SECOND)

    def answered(_: object) -> QueryResult:
        view.sequence, view.stale_since = 4, None
        return QueryResult([b"1"], True)

    group = MagicMock()
    store = SimpleNamespace(clock=SimpleNamespace(now=lambda: 9 * SECOND))
    site = SimpleNamespace(
        registry=SimpleNamespace(group=lambda _: group, store=store),
        views=SimpleNamespace(current=lambda _: view),
        queries=SimpleNamespace(query=answered),
        tables=SimpleNamespace(answer=lambda *_, **__: None),
    )
    request = SimpleNamespace(
        target=SimpleNamespace(group="A"),
        operation=SimpleNamespace(name="QueryResourceProperties"),
        dialect=DIALECTS["oasis"],
        envelope=SimpleNamespace(body=parse(BODY.encode())[0]),
        caller=SimpleNamespace(owner=""),
    )
    reply = group_operations.query(cast(Any, site), cast(Any, request))
    assert reply.headers["Warning"].startswith("110")
    assert reply.headers["Age"] == "2"
