"""How events leave the service: to the broker, or into the log in its own store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, NamedTuple, Protocol

from aggregator.errors import BrokerRefused, BrokerUnavailable
from aggregator.events import metrics
from aggregator.events.publisher import send
from aggregator.events.settings import EventSettings
from aggregator.events.transport import Delivery
from aggregator.events.transport.logged import append_delivery
from aggregator.store.write import Write
from aggregator.threads import in_daemon

Writing = Callable[[Callable[[Write], Any]], Awaitable[Any]]


class Load(NamedTuple):
    """What there is to carry of one change or happening; `number` says which of its kind it is."""

    number: int
    deliveries: Sequence[Delivery]


#: Notes, in a transaction, that these numbers were carried; those of them that no other process
#: has carried: the others are not to be carried here.
Note = Callable[[Write, Sequence[int]], Collection[int]]


class Carrier(Protocol):
    """Carries loads, in their order."""

    async def carry(
        self, loads: Sequence[Load], note: Note, *, may_go_on: Callable[[], bool]
    ) -> bool:
        """Carry all and note it; whether nobody else had. What was carried before it fails is
        noted, and before it is stopped, which is where it may not go on.

        Raises BrokerUnavailable, BrokerRefused, StoreUnavailable.
        """


@dataclass(frozen=True, slots=True)
class StoreCarrier:
    """Into the log, in the transaction that notes it: each event exactly once."""

    exchange: str
    write: Writing

    async def carry(
        self, loads: Sequence[Load], note: Note, *, may_go_on: Callable[[], bool]
    ) -> bool:
        """See Carrier."""

        def unit(write: Write) -> tuple[int, bool]:
            ours = set(note(write, [load.number for load in loads]))
            made = [one for load in loads if load.number in ours for one in load.deliveries]
            for delivery in made:
                append_delivery(write, delivery, exchange=self.exchange)
            return len(made), len(ours) == len(loads)

        number, are_all = await self.write(unit)
        if number:
            metrics.PUBLISHED.labels("taken").inc(number)
        return bool(are_all)


class BrokerCarrier:
    """To the broker, each event confirmed; one whose confirmation is lost is sent again.

    A broker that hangs holds up one thread, which does not keep the process from ending.
    """

    def __init__(self, settings: EventSettings, *, exchange: str, write: Writing) -> None:
        self._settings = settings
        self._exchange = exchange
        self._write = write

    async def carry(
        self, loads: Sequence[Load], note: Note, *, may_go_on: Callable[[], bool]
    ) -> bool:
        """See Carrier."""
        done: list[int] = []
        ours: Collection[int] = ()
        stopped = Event()
        try:
            if any(load.deliveries for load in loads):
                await in_daemon(
                    lambda: self._send(loads, done, lambda: may_go_on() and not stopped.is_set())
                )
            else:
                done += [load.number for load in loads]
        finally:
            # Whoever is cancelled leaves the thread behind: it must not go on beside the next one.
            stopped.set()
            if done:
                ours = await self._write(lambda write: note(write, done))
        return len(ours) == len(loads)

    def _send(self, loads: Sequence[Load], done: list[int], may_go_on: Callable[[], bool]) -> None:
        for load in loads:
            for delivery in load.deliveries:
                if not may_go_on():
                    raise BrokerUnavailable("it is another's turn; what is left is published later")
                send(delivery, self._exchange, settings=self._settings)
            done.append(load.number)


#: What a carrier raises where it is to be tried again later.
AWAY = (BrokerUnavailable, BrokerRefused)
