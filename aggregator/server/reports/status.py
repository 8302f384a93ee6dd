"""What is known of reports: aggregators, nodes, what waits and what is dead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from aggregator.errors import MalformedRequest
from aggregator.reports.names import NODE
from aggregator.server.documents import Document
from aggregator.server.reports.answering import document, not_there
from aggregator.store.engine import Store
from aggregator.store.report_feeding import revive_report
from aggregator.store.report_status import (
    aggregators,
    count_reports,
    dead_reports,
    node_states,
)
from aggregator.store.writing import Writing
from aggregator.wire.times import format_datetime

#: Rows of one page.
_PAGE = 1000
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def overview(store: Store, query: str = "") -> Document:
    """The aggregators, and how many reports wait and are dead."""
    found = store.query(aggregators)
    waiting, dead = store.query(count_reports)
    rows = [
        {
            "aggregator": one.name,
            "state": "failed" if one.error else "running",
            "since": format_datetime(one.since),
            "reports": list(one.reports),
            "requests": list(one.requests),
            "updates": list(one.updates),
            "error": one.error,
        }
        for one in found
    ]
    return document({"aggregators": rows, "waiting": waiting, "dead": dead})


def nodes(store: Store, query: str) -> Document:
    """A page of nodes, those after the one that `after` names."""
    after = _asked(query).get("after", "")
    if after and not NODE.fullmatch(after):
        raise MalformedRequest(f"after={after[:40]!r} is no name of a node")
    found = store.query(lambda connection: node_states(connection, after=after, most=_PAGE))
    rows = [
        {
            "node": one.node,
            "since": format_datetime(one.since),
            "last": format_datetime(one.last) if one.last is not None else "",
            "waiting": one.waiting,
            "dead": one.dead,
        }
        for one in found
    ]
    return document({"nodes": rows, "more": len(found) == _PAGE})


def dead(store: Store, query: str) -> Document:
    """A page of dead reports, those after the number that `after` names."""
    after = _asked(query).get("after", "0")
    if not _NUMBER.fullmatch(after):
        raise MalformedRequest(f"after={after[:40]!r} is no number")
    found = store.query(lambda connection: dead_reports(connection, after=int(after), most=_PAGE))
    rows: list[Mapping[str, Any]] = [
        {**one._asdict(), "at": format_datetime(one.at)} for one in found
    ]
    return document({"dead": rows, "more": len(found) == _PAGE})


def revive(number: str) -> Writing[Document]:
    """Have a dead report tried again."""
    if not _NUMBER.fullmatch(number):
        raise MalformedRequest(f"{number[:40]!r} is no number of a report")
    done: bool = yield partial(revive_report, number=int(number))
    return document({"report": "tried again"}) if done else not_there(f"/reports/dead/{number}")


def _asked(query: str) -> Mapping[str, str]:
    return {name: values[-1] for name, values in parse_qs(query, max_num_fields=10).items()}
