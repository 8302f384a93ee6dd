"""The bus: follows the groups' outboxes and what else happens, and publishes it in order."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aggregator.bus.carrying import AWAY, Carrier, Load, Writing
from aggregator.bus.life import Life
from aggregator.bus.metrics import DROPPED, WAITING
from aggregator.errors import EventUnwritable, StoreUnavailable
from aggregator.events.transport import Delivery
from aggregator.store.bus_places import Place, make_place, move_place, places
from aggregator.store.groups import GroupState, group_states
from aggregator.store.happenings import (
    Happening,
    prune_happenings,
    told_happenings,
    waiting_happenings,
)
from aggregator.store.outbox import Told, notices_after
from aggregator.store.write import Write
from aggregator.wire.times import SECOND

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds between two looks, two times of tidying up; until a broker is tried again, at most.
_LOOK, _TIDY, _FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0, 0.5, 30.0
#: Changes and happenings that are carried together.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of what the broker was not told yet: so many, for so many seconds."""

    length: int
    age: float


class Bus:
    """Publishes the changes of the groups of the shards that the lease holds, in order.

    `groups` are the names of those that are offered, `renewals` those of them whose renewals are
    told. A broker that is away holds up nothing but the bus, which waits in a thread of its own.
    """

    def __init__(
        self,
        carrier: Carrier,
        life: Callable[[], Life],
        *,
        groups: frozenset[str],
        renewals: frozenset[str],
        kept: Kept,
        ask: Callable[[Callable[[Any], T]], Awaitable[T]],
        write: Writing,
        epochs: Callable[[], Mapping[int, int]],
        shards: int,
        clock: Callable[[], int],
    ) -> None:
        self._carrier = carrier
        self._life = life
        self._groups = groups
        self._renewals = renewals
        self._kept = kept
        self._ask: Any = ask
        self._write = write
        self._epochs = epochs
        self._shards = shards
        self._clock = clock
        self._pause = 0.0
        self._tidied = 0
        self._lost: dict[int, int] = {}

    async def publish(self) -> None:
        """Publish for ever."""
        while True:
            try:
                if self._epochs():
                    await self._round()
                await asyncio.sleep(_LOOK)
            except StoreUnavailable as error:
                logger.warning("the event bus waits for the store: %s", error)
                await asyncio.sleep(1.0)
            except AWAY as error:
                await asyncio.sleep(self._trouble(error))
            except Exception:
                logger.exception("bug in publishing events")
                await asyncio.sleep(_LONGEST_PAUSE)

    async def finish(self) -> None:
        """Publish what there is once more; raises what `publish` would wait for."""
        if self._epochs():
            await self._round()

    def _trouble(self, error: Exception) -> float:
        """How long to wait before the broker is tried again; told once."""
        if not self._pause:
            logger.warning("events wait for the broker: %s", error)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE) or _FIRST_PAUSE
        return self._pause * random.uniform(0.5, 1.0)

    async def _round(self) -> None:
        """Publish all that is to be told now."""
        held = self._epochs()
        if 0 in held:
            # Before it is looked: what is dropped is not to be told.
            await self._tidy()
        states, found, happened = await self._ask(_look)
        offered = {state.id: state for state in states if state.name in self._groups}
        for group in offered.keys() - {place.group_id for place in found}:
            await self._write(partial(make_place, group_id=group))
        mine = [place for place in found if place.slot % self._shards in held]
        followed = [(place, offered[place.group_id]) for place in mine if place.group_id in offered]
        self._look_at_lost(mine)
        WAITING.set(sum(state.sequence - place.sent for place, state in followed))
        if 0 in held:
            await self._happenings(happened, {state.id: state.name for state in states})
        for place, state in followed:
            reached: Place | None = place
            while reached and reached.sent < state.sequence and self._holds(place):
                reached = await self._page(reached, state)
        if self._pause:
            logger.info("the broker takes events again")
            self._pause = 0.0

    def _holds(self, place: Place) -> bool:
        """Whether it is still ours to tell of a group."""
        return place.slot % self._shards in self._epochs()

    def _look_at_lost(self, mine: Sequence[Place]) -> None:
        """Tell of changes that left the outbox before they were published."""
        for place in mine:
            if place.id not in self._lost and place.dropped:
                logger.warning("%d changes in all were not published in time", place.dropped)
            lost = place.dropped - self._lost.setdefault(place.id, place.dropped)
            if lost:
                logger.error("%d changes were not published in time", lost)
                DROPPED.inc(lost)
                self._lost[place.id] = place.dropped

    async def _page(self, place: Place, state: GroupState) -> Place | None:
        """Publish the next changes of a group; how far the bus has come then, None where another
        process tells of it."""
        read = partial(notices_after, group_id=state.id, sequence=place.sent, group=state.name)
        changes = await self._ask(partial(read, most=_MOST))
        life = self._life()
        loads = [
            Load(one.sequence, _written(life.of_change(one)) if self._is_told(one) else ())
            for one in changes
        ]
        if not loads:
            # What of it nobody wrote down, nobody has to be told.
            loads.append(Load(state.sequence, ()))
        go_on = partial(self._holds, place)
        if await self._carrier.carry(loads, partial(_moved, place), may_go_on=go_on):
            return place._replace(sent=loads[-1].number)
        return None

    def _is_told(self, told: Told) -> bool:
        return told.kind != "renewed" or told.entry.group in self._renewals

    async def _happenings(self, happened: Sequence[Happening], names: Mapping[int, str]) -> None:
        life = self._life()
        loads = [
            Load(one.id, _written(life.of_happening(one, names.get(one.group_id, ""))))
            for one in happened
        ]
        if loads:
            await self._carrier.carry(loads, told_happenings, may_go_on=lambda: 0 in self._epochs())

    async def _tidy(self) -> None:
        """Drop what waits for longer than it may; the groups' outboxes are seen to elsewhere."""
        now = self._clock()
        if now - self._tidied < _TIDY * SECOND:
            return
        self._tidied = now
        before = now - round(self._kept.age * SECOND)
        prune = partial(prune_happenings, before=before, longest=self._kept.length)
        if dropped := await self._write(prune):
            logger.warning("%d happenings were not published in time", dropped)
            DROPPED.inc(dropped)


def _look(connection: Any) -> tuple[list[GroupState], list[Place], list[Happening]]:
    # The places first: a group that gets ahead of its place meanwhile is looked at again.
    found = places(connection)
    return group_states(connection), found, waiting_happenings(connection, most=_MOST)


def _written(made: Iterator[Delivery]) -> list[Delivery]:
    try:
        return list(made)
    except (EventUnwritable, ValueError) as error:
        # Published never; what comes after it must not wait for it.
        logger.error("an event of the service can't be written: %s", error)
        DROPPED.inc()
        return []


def _moved(place: Place, write: Write, numbers: Sequence[int]) -> Sequence[int]:
    return numbers if move_place(write, place, to=numbers[-1]) else ()
