"""Filters in their own process: an answer is that to the question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from aggregator.errors import QueryFailed, StoreUnavailable
from aggregator.notify.filters import Filters
from aggregator.wire.subscribing import Condition

from .probe_kit import processes

TRUE, FALSE = Condition("true()", ()), Condition("false()", ())
#: Takes far longer than it may.
SLOW = Condition("count(//*[count(//*[count(//*[count(//*) > 0]) > 0]) > 0]) > 0", ())
LARGE = b"<a>" + b"<b/>" * 2000 + b"</a>"


@asynccontextmanager
async def filters() -> AsyncIterator[Filters]:
    made = Filters()
    try:
        yield made
    finally:
        made.close()


def test_who_stops_waiting_leaves_no_answer_for_the_next() -> None:
    async def run() -> None:
        async with filters() as asked:
            assert await asked.holds(TRUE, b"<a/>")
            for turn in range(40):
                question = asyncio.create_task(asked.holds(TRUE, LARGE))
                await asyncio.sleep(0.0002 * (turn % 10))
                question.cancel()
                with suppress(asyncio.CancelledError):
                    await question
                assert not await asked.holds(FALSE, b"<a/>")

    asyncio.run(run())


def test_a_process_that_can_not_be_started_is_no_fault_of_the_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_process(*args: object, **options: object) -> None:
        raise OSError("too many processes")

    async def run() -> None:
        async with filters() as asked:
            with monkeypatch.context() as failing:
                failing.setattr("subprocess.Popen", no_process)
                with pytest.raises(StoreUnavailable, match="can't be started now"):
                    await asked.holds(TRUE, b"<a/>")
            assert await asked.holds(TRUE, b"<a/>")

    asyncio.run(run())


def test_one_that_takes_too_long_fails_and_the_next_is_answered() -> None:
    async def run() -> None:
        async with filters() as asked:
            with pytest.raises(QueryFailed, match="too long"):
                await asked.holds(SLOW, LARGE)
            assert await asked.holds(TRUE, LARGE)
            with pytest.raises(QueryFailed, match="could not be evaluated"):
                await asked.holds(Condition("unknown()", ()), b"<a/>")
            assert not await asked.holds(FALSE, LARGE)

    before = processes("aggregator.notify.filter_process")
    asyncio.run(run())
    assert processes("aggregator.notify.filter_process") == before


SELECTED = [
    ("//b", (True, '<b xmlns:x="urn:x" x:c="1">2</b>')),
    ("//absent", (False, "")),
    ("//@x:c", (True, "1")),
    ("//b/text()", (True, "2")),
    ("count(//b) = 1", (True, "true")),
    ("count(//b) - 1", (False, "0")),
    ("number('none')", (False, "NaN")),
    ("string(//absent)", (False, "")),
    ("concat(//b, '<&')", (True, "2&lt;&amp;")),
    ("/", (True, "")),
]


@pytest.mark.parametrize(("expression", "wanted"), SELECTED, ids=[one for one, _ in SELECTED])
def test_what_an_expression_selects_is_told_with_whether_it_holds(
    expression: str, wanted: tuple[bool, str]
) -> None:
    async def run() -> None:
        async with filters() as asked:
            condition = Condition(expression, {"x": "urn:x"})
            document = b'<a><b xmlns:x="urn:x" x:c="1">2</b></a>'
            assert await asked.selected(condition, document, most=100) == wanted

    asyncio.run(run())


def test_a_selection_that_is_too_long_is_left_out() -> None:
    async def run() -> None:
        async with filters() as asked:
            assert await asked.selected(Condition("//b"), LARGE, most=100) == (True, None)

    asyncio.run(run())
