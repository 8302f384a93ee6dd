"""What a source that is broken, slow or odd does to its own entries, and to those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest

from aggregator.collect.assignments import Assignments
from aggregator.collect.collecting import Collecting
from aggregator.collect.context import Offered
from aggregator.collect.dispatch import Result
from aggregator.contract import AggregatorSource, Collected, Context, SourceType
from aggregator.errors import CollectError, StoreUnavailable
from aggregator.model import Plan
from aggregator.registry.plugins import gather
from aggregator.store.collection import Assignment
from aggregator.testing import ManualClock, ScriptedSource, no_probe

MEMBER = b'<m xmlns:w="http://www.w3.org/2005/08/addressing"><w:Address>http://x/</w:Address></m>'


class Odd(AggregatorSource):
    """Does what it is told."""

    def __init__(self, do: object) -> None:
        self.do = do

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        return await self.do(context)  # type: ignore[operator, no-any-return]

    def type(self, name: str = "Odd") -> SourceType:
        return SourceType(name, (f"{{urn:x}}{name}",), self)


def assignment(number: int, source: str, *, interval: int = 100) -> Assignment:
    return Assignment(
        id=number,
        group="G",
        group_id=1,
        key=f"{number:032x}",
        member=MEMBER,
        address="http://x/",
        config=b"<c/>",
        plan=Plan(source, interval, {}),
        sink_plans={},
        memory={"seen": "before"},
        shard=number % 2,
        termination=None,
        due=None,
        last_attempt=None,
        last_success=None,
        consecutive_failures=0,
        version=0,
    )


class Bed:
    """A Collecting without store or network; use it inside of a loop."""

    def __init__(self, *sources: SourceType, kept: int = 100, limit: float = 0.3) -> None:
        self.results: list[Result] = []
        self.epochs = {0: 1, 1: 1}
        self.loaded: list[int] = []
        self.stored: dict[int, Assignment] = {}
        self.away = False
        offered = Offered(None, no_probe, ManualClock().now)  # type: ignore[arg-type]
        self.collecting = Collecting(
            assignments=Assignments(offered, needs_farewell=lambda one: False, kept=kept),
            plugins=gather(sources=[(source, "test") for source in sources], sinks=[]),
            load=self.load,
            epochs=lambda: self.epochs,
            record=self.results.append,
            clock=offered.clock,
            most=100,
            share=lambda source: 50,
            limit=limit,
        )

    async def load(self, entries: Collection[int]) -> Sequence[Assignment]:
        if self.away:
            raise StoreUnavailable("away")
        self.loaded += entries
        return [self.stored[entry] for entry in entries if entry in self.stored]

    def take_up(self, *assignments: Assignment) -> None:
        for one in assignments:
            self.stored[one.id] = one
            self.collecting.take_up(one)

    async def until(self, count: int, *, of: int | None = None) -> list[Result]:
        """The first `count` results, of one entry or of all."""

        def found() -> list[Result]:
            return [r for r in self.results if of in (None, r.context.assignment.id)]

        async with asyncio.timeout(10):
            while len(found()) < count:
                await asyncio.sleep(0.01)
        return found()[:count]


async def raises(error: BaseException) -> Collected:
    raise error


async def swallows_cancellation() -> Collected:
    for _ in range(3):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue
    return Collected(())


@pytest.mark.parametrize(
    ("do", "code"),
    [
        (lambda context: raises(CollectError("a\x00b\nc", code="mine")), "mine"),
        (lambda context: raises(ValueError("bug")), "internal"),
        (lambda context: raises(SystemExit(3)), "internal"),
        (lambda context: raises(RecursionError()), "internal"),
        (lambda context: asyncio.sleep(0, None), "internal"),
        (lambda context: asyncio.sleep(0, b"<a/>"), "internal"),
        (lambda context: asyncio.sleep(0, Collected([b"<a/>"])), "internal"),
        (lambda context: asyncio.sleep(0, Collected(("<a/>",))), "internal"),
        (lambda context: asyncio.sleep(0, Collected((b"<a>",))), "internal"),
        (lambda context: asyncio.sleep(0, Collected((b"</a><b>",))), "internal"),
        (lambda context: asyncio.sleep(0, Collected((), {"n": 1})), "internal"),
        (lambda context: asyncio.sleep(60), "timeout"),
        (lambda context: swallows_cancellation(), "timeout"),
        (lambda context: context.http.post("http://x/", b"", headers={}), "internal"),
        (lambda context: context.run_probe("x", address="", epr=b"", config=b""), "refused"),
    ],
)
def test_a_source_that_goes_wrong_harms_its_own_entry_alone(do: object, code: str) -> None:
    async def scene() -> None:
        good = ScriptedSource((b"<ok/>",))
        bed = Bed(Odd(do).type(), good.type())
        bed.take_up(assignment(1, "Odd"), assignment(2, "ScriptedSource"))
        error = (await bed.until(1, of=1))[0].error
        assert error is not None
        assert error[0] == code
        assert error[1].isprintable()
        for result in await bed.until(3, of=2):
            assert result.error is None
        bed.collecting.stop()

    asyncio.run(scene())


def test_a_source_that_is_not_installed_any_more_is_named() -> None:
    async def scene() -> None:
        bed = Bed()
        bed.take_up(assignment(1, "Gone"))
        (result,) = await bed.until(1)
        assert result.error == ("no-source", "the source Gone is not installed here")

    asyncio.run(scene())


def test_what_was_remembered_is_shown_the_next_time() -> None:
    seen: list[dict[str, str]] = []

    async def remember(context: Context) -> Collected:
        seen.append(dict(context.memory))
        return Collected((), {"turn": str(len(seen))})

    async def scene() -> None:
        bed = Bed(Odd(remember).type())
        bed.take_up(assignment(1, "Odd"))
        await bed.until(3)

    asyncio.run(scene())
    assert seen[:3] == [
        {"seen": "before"},
        {"seen": "before", "turn": "1"},
        {"seen": "before", "turn": "2"},
    ]


def test_more_entries_than_are_kept_in_memory_are_read_when_due() -> None:
    async def scene() -> Bed:
        bed = Bed(ScriptedSource((b"<ok/>",)).type(), kept=5)
        bed.take_up(*(assignment(number, "ScriptedSource") for number in range(20)))
        await bed.until(60)
        bed.collecting.stop()
        return bed

    bed = asyncio.run(scene())
    assert {result.context.assignment.id for result in bed.results} == set(range(20))
    assert bed.loaded
    assert all(result.error is None for result in bed.results)


def test_what_can_t_be_read_is_left_out_until_the_store_is_back() -> None:
    async def scene() -> tuple[list[Result], list[list[Result]]]:
        bed = Bed(ScriptedSource((b"<ok/>",)).type(), kept=1)
        bed.take_up(*(assignment(number, "ScriptedSource") for number in range(6)))
        bed.away = True
        await asyncio.sleep(0.5)
        before = list(bed.results)
        bed.away = False
        return before, [await bed.until(1, of=number) for number in range(6)]

    before, after = asyncio.run(scene())
    assert all(result.error is None for result in before)
    assert {result.context.assignment.id for result in before} < set(range(6))
    assert [[result.error for result in one] for one in after] == [[None]] * 6


def test_without_the_lease_on_its_shard_an_entry_is_not_collected() -> None:
    async def scene() -> None:
        bed = Bed(ScriptedSource((b"<ok/>",)).type())
        bed.epochs = {0: 1}
        bed.take_up(assignment(1, "ScriptedSource"), assignment(2, "ScriptedSource"))
        await bed.until(3, of=2)
        assert {result.context.assignment.id for result in bed.results} == {2}

    asyncio.run(scene())


def test_after_a_stop_nothing_is_told() -> None:
    async def scene() -> None:
        bed = Bed(Odd(lambda context: asyncio.sleep(0.2, Collected(()))).type())
        bed.take_up(assignment(1, "Odd"))
        await asyncio.sleep(0.1)
        bed.collecting.stop()
        await asyncio.sleep(0.3)
        assert bed.results == []

    asyncio.run(scene())


def test_at_the_end_what_is_under_way_may_finish() -> None:
    async def scene() -> None:
        bed = Bed(Odd(lambda context: asyncio.sleep(0.2, Collected(()))).type())
        bed.take_up(assignment(1, "Odd"))
        await asyncio.sleep(0.1)
        await bed.collecting.finish(within=1)
        assert len(bed.results) == 1

    asyncio.run(scene())
