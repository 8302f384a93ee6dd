"""Which tables there are, and what of all that anybody may register and ask they bear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aggregator.errors import QueryFailed, StoreUnavailable
from aggregator.view.results import scalar_text
from aggregator.view.tables.constants import cut, number

from .tables_kit import NAMES, ROOT, VALUES, Asked, data_of, tables_of, told
from .view_fakes import an_entry


def test_a_table_is_made_of_what_comes_again_and_again() -> None:
    asked = Asked(5)
    for name in range(2):
        assert asked.once(f"count(//g:Cluster[@g:Name = '{name}'])") is None
    assert not asked.tables._tables
    asked.once("count(//g:Cluster[@g:Name = 'other'])")
    assert len(asked.tables._tables) == 1


def test_no_more_tables_than_are_allowed_and_none_of_what_is_beside_the_entries() -> None:
    asked = Asked(5)
    asked.tables = tables_of(2)
    forms = [f"count(//{name})" for name in ("agg:RegistrationCount", "g:State", "g:Cluster", "x")]
    found = [asked.often(expression) for expression in forms]
    assert [one is None for one in found] == [True, False, False, True]
    none = tables_of(0)
    asked.tables = none
    assert asked.often(forms[1]) is None


def test_a_table_that_nobody_asks_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.view.tables.tables._LATELY", 0.0)
    asked = Asked(5)
    asked.tables = tables_of(1)
    for path in ("//g:State", "//g:Cluster"):
        monkeypatch.setattr("aggregator.view.tables.tables._OFTEN", 1)
        assert asked.often(f"count({path})") is not None
    assert len(asked.tables._tables) == 1
    assert len(asked.view._watchers) == 2  # the tree's and the table's


def test_a_result_that_is_too_large_is_refused() -> None:
    asked = Asked(30)
    asked.tables = tables_of(10, max_result=1000)
    with pytest.raises(QueryFailed, match="more than 1000 bytes"):
        asked.often("//sg:Entry[@n or .]")


@pytest.mark.parametrize(
    "data",
    [
        b"<g:Cluster xmlns:g='urn:g' n='5'>" + b"<x>1</x>" * 10_000 + b"</g:Cluster>",
        b"<x xmlns:g='urn:g'>" + b"<g:Cluster/>" * 65 + b"</x>",
        b"<g:Cluster xmlns:g='urn:g'>" + b"<g:State/>" * 1001 + b"</g:Cluster>",
        b"<g:Cluster xmlns:g='urn:g'>" * 40 + b"x" * 5000 + b"</g:Cluster>" * 40,
    ],
    ids=["large", "rows", "values", "text"],
)
def test_one_entry_that_has_too_much_leaves_all_to_the_evaluator(data: bytes) -> None:
    asked = Asked(5, seed=5)
    expression = "count(//g:Cluster[.//g:State = 'x' or contains(., 'y')])"
    assert asked.often(expression) is not None
    asked.store.put(an_entry(99, data=(data,)), "added")
    asked.refresh()
    assert asked.once(expression) is None
    asked.store.remove(99)
    asked.refresh()
    found = asked.once(expression)
    assert found is not None
    assert told(found) == asked.evaluated(expression)


def test_a_table_that_would_hold_too_much_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.view.tables.table._MOST_IN_ALL", 10)
    assert Asked(30, seed=6).often("count(//g:Cluster[contains(., 'x')])") is None


@pytest.mark.parametrize(
    "expression",
    [
        "//g:Cluster[@n = \u0663]", "//\u00b2[@n = 3]", "//g:Cluster[@\u0221 = 3]",
        "//g:Cluster[@n = '\u0663']", "(//g:Cluster)[9223372036854775807]",
        "(//g:Cluster)[2147483648]", "sum(//g:Cluster[@n]/@n)", "//g:Cluster[@n = 1e3]",
    ],
)  # fmt: skip
def test_odd_expressions_are_no_faults(expression: str) -> None:
    asked = Asked(10, seed=7)
    found = asked.often(expression)
    if found is not None:
        assert told(found) == asked.evaluated(expression)


def test_sums_round_as_those_of_the_evaluator() -> None:
    asked = Asked(0)
    for entry_id in range(1, 11):
        asked.store.put(an_entry(entry_id, data=(b"<x n='0.1'/>",)), "added")
    asked.refresh()
    found = asked.often("sum(//x[@n > 0]/@n)")
    assert found is not None
    assert told(found) == asked.evaluated("sum(//x[@n > 0]/@n)") == (b"0.9999999999999999", True)


def test_a_table_that_lost_an_entry_answers_nothing_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(10, seed=8)
    assert asked.often("count(//g:Cluster)") is not None
    asked.store.put(an_entry(99, data=data_of(asked.chance)), "added")
    asked.refresh()
    with monkeypatch.context() as broken:
        broken.setattr("aggregator.view.tables.rows.Reading.rows", raising(MemoryError))
        with pytest.raises(MemoryError):
            asked.once("count(//g:Cluster)")
    assert asked.once("count(//g:Cluster)") is None


def raising(error: Callable[[], BaseException]) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> None:
        raise error()

    return call


def test_no_table_is_given_up_for_one_that_can_not_be_made_now() -> None:
    asked = Asked(5)
    asked.tables = tables_of(1)
    assert asked.often("count(//g:State)") is not None
    form = "count(//g:Cluster)"
    away = raising(lambda: StoreUnavailable("away"))
    for _ in range(4):
        found = asked.tables.answer(asked.view, asked.frame, form, NAMES, root=ROOT, others=away)
        assert found is None
    assert asked.once("count(//g:State)") is not None


def test_much_work_is_left_to_the_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.view.tables.answering._MOST_WORK", 20)
    monkeypatch.setattr("aggregator.view.tables.answering._LITTLE_WORK", 10)
    asked = Asked(30, seed=9)
    assert asked.often("count(//g:Cluster[@n != 5])") is None
    assert asked.often("count(//g:Cluster)") is not None


@pytest.mark.parametrize(
    "later", ["@g:Name = 'somebody'", "@g:Name = 12.345", "@g:Name = 'a' or @g:Name = 'b'"]
)
def test_an_equality_leads_to_few_rows_of_however_many(
    monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    monkeypatch.setattr("aggregator.view.tables.answering._MOST_WORK", 20)
    monkeypatch.setattr("aggregator.view.tables.answering._LITTLE_WORK", 10)
    asked = Asked(40, seed=9)
    assert asked.often("count(//g:Cluster[@g:Name = 'nobody'])") is not None
    found = asked.once(f"count(//g:Cluster[{later}])")
    # The same table, and another index of it; with an `or` there is none.
    assert (found is None) == (" or " in later)
    if found is not None:
        told = (b"".join(found.chunks), found.is_text)
        assert told == asked.evaluated(f"count(//g:Cluster[{later}])")
    assert len(asked.tables._tables) == 1


@pytest.mark.parametrize("text", [*VALUES, "5.", "0.30000000000000004", "9" * 30, "\u20035"])
def test_numbers_are_those_of_the_evaluator(text: str) -> None:
    wanted, _ = Asked(1).evaluated(f"number('{text}')")
    assert scalar_text(number(text)).encode() == wanted


@pytest.mark.parametrize("text", ["5", "5.", ".5", "12.345", "9" * 30, "0.30000000000000004"])
def test_literal_numbers_are_those_of_the_evaluator(text: str) -> None:
    wanted, _ = Asked(1).evaluated(text)
    template, [found] = cut(text)
    assert template == "\x02"
    assert isinstance(found, float)
    assert scalar_text(found).encode() == wanted
