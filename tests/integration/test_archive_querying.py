"""What a query of an archive does where evaluating meets a limit: fewer documents, then a part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from aggregator.archive import querying
from aggregator.archive.asked import END, Question
from aggregator.archive.querying import ArchiveReader, Found
from aggregator.errors import QueryFailed
from aggregator.store.archive_reading import Wanted
from aggregator.store.engine import Store
from aggregator.view.each import evaluate_each
from aggregator.view.query_client import QueryRequest
from aggregator.view.query_messages import QueryResult
from tests import stores
from tests.integration.archive_kit import arrival, at, keep

store = stores.store
QUESTION = Question("//v[. != 'none']/text()", {}, Wanted(0, END))


Refuses = Callable[[Sequence[str]], None]


class Evaluator:
    """Evaluates in this process; `refuses` raises for what is more than may be at once."""

    def __init__(
        self, refuses: Callable[[Sequence[str]], None], *, max_result: int = 2**20
    ) -> None:
        self.asked: list[int] = []
        self._refuses = refuses
        self._max_result = max_result

    def query(self, request: QueryRequest) -> QueryResult:
        self.asked.append(len(request.documents))
        self._refuses([text for _, text in request.documents])
        answer = evaluate_each(
            request.documents, request.expression, request.namespaces, self._max_result
        )
        return QueryResult(answer.blocks, answer.is_text)


def nothing(texts: Sequence[str]) -> None:
    return


def at_most(most: int, limit: str = "time") -> Refuses:
    def refuses(texts: Sequence[str]) -> None:
        if len(texts) > most:
            raise QueryFailed(f"not {len(texts)}", limit=limit)

    return refuses


def hostile(texts: Sequence[str]) -> None:
    if any("hostile" in text for text in texts):
        raise QueryFailed("it took too long", limit="time")


def ask(store: Store, evaluator: Evaluator, question: Question = QUESTION) -> Found:
    reader = ArchiveReader(store, cast(Any, evaluator), url="http://a.example.org/")
    return reader.query("A", 1, question, caller="c")


def texts(found: Found) -> list[str]:
    return [piece.decode().rpartition("</")[0].rpartition(">")[2] for piece in found.pieces]


@pytest.mark.parametrize("limit", ["time", "memory", "result"])
def test_what_is_too_much_at_once_is_evaluated_in_parts(store: Store, limit: str) -> None:
    keep(store, *(arrival(str(number), at(number)) for number in range(40)))
    evaluator = Evaluator(at_most(7, limit))
    found = ask(store, evaluator)
    assert (texts(found), found.next) == ([str(number) for number in range(40)], None)
    assert evaluator.asked == [40, 20, 10, *[5] * 8]


def test_a_result_that_is_too_large_comes_in_parts(store: Store) -> None:
    keep(store, *(arrival(str(number) * 500, at(number)) for number in range(8)))
    found = ask(store, Evaluator(nothing, max_result=2500))
    assert texts(found) == [str(number) * 500 for number in range(8)]


def test_what_was_found_before_a_document_that_fails_is_answered_with_the_place(
    store: Store,
) -> None:
    said = ["a", "b", "none", "hostile", "c"]
    keep(store, *(arrival(text, at(number)) for number, text in enumerate(said)))
    found = ask(store, Evaluator(hostile))
    assert texts(found) == ["a", "b"]
    assert found.next is not None
    # Who goes on from there is told which one it is, and can ask for what is behind it.
    with pytest.raises(QueryFailed, match=r"http://m1/s that came at .*: it took too long") as told:
        ask(store, Evaluator(hostile), replace(QUESTION, after=found.next))
    assert told.value.limit == "time"
    later = replace(QUESTION, wanted=Wanted(at(4), END))
    assert texts(ask(store, Evaluator(hostile), later)) == ["c"]


def test_the_time_that_all_may_take_is_kept_by_few_steps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(querying, "_PATIENCE", -1.0)
    keep(store, *(arrival(str(number), at(number)) for number in range(200)))
    evaluator = Evaluator(at_most(1))
    found = ask(store, evaluator)
    assert texts(found) == ["0"]
    assert evaluator.asked == [200, 12, 1]
    assert texts(ask(store, Evaluator(at_most(1)), replace(QUESTION, after=found.next))) == ["1"]


def test_other_limits_are_told_at_once(store: Store) -> None:
    keep(store, *(arrival(str(number), at(number)) for number in range(4)))
    evaluator = Evaluator(at_most(1, "waiting"))
    with pytest.raises(QueryFailed, match="not 4"):
        ask(store, evaluator)
    assert evaluator.asked == [4]
