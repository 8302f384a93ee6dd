"""Many registrations: lanes, rounds and the end, with threads but without a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from aggregator.errors import RemoteError, RemoteFault
from aggregator.registrant.block import RegistrationParameters
from aggregator.registrant.kept import Clock, KeptRegistration, Round
from aggregator.registrant.lanes import MAX_THREADS, Lanes
from aggregator.registrant.registrar import Registrar
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import EndpointReference
from tests.unit.registrant_fakes import HandClock, MemoryGroup, MemoryResource, registration

SOON = 10


@dataclass
class Notes:
    """A Report that remembers, and calls `then` after each good round."""

    good: list[tuple[int, Round]] = field(default_factory=list)
    bad: list[tuple[int, str, float | None]] = field(default_factory=list)
    gone: list[tuple[int, str]] = field(default_factory=list)
    over: int = 0
    then: Callable[[], None] = lambda: None

    def good_round(self, kept: KeptRegistration, what: Round) -> None:
        self.good.append((kept.parameters.position, what))
        self.then()

    def bad_round(self, kept: KeptRegistration, reason: str, *, retry: float | None) -> None:
        self.bad.append((kept.parameters.position, reason, retry))
        self.then()

    def first_round_over(self) -> None:
        self.over += 1

    def ended(self, kept: KeptRegistration, reason: str) -> None:
        self.gone.append((kept.parameters.position, reason))


@dataclass
class Web:
    """Several groups by address; opening one that hangs waits until the test is over."""

    time: HandClock = field(default_factory=HandClock)
    groups: dict[str, MemoryGroup] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    closing: ExitStack = field(default_factory=ExitStack)

    def registrar(
        self, many: list[RegistrationParameters], report: Notes, **more: Any
    ) -> Registrar:
        registrar = Registrar(
            many, report=report, **{"open": self.open, "clock": self.time.clock(), **more}
        )
        self.closing.callback(registrar.close)
        return registrar

    def open(self, epr: EndpointReference, dialect: Dialect) -> MemoryResource:
        address = epr.address
        if address in self.hanging:
            self.over.wait()
            raise RemoteError(f"{address} did not answer")
        if address.startswith("entry:"):
            group = next(one for one in self.groups.values() if address in one.entries)
        else:
            group = self.groups.setdefault(address, MemoryGroup(self.time, made=self._offset()))
        return MemoryResource(group, address)

    def _offset(self) -> int:
        return 1000 * len(self.groups)


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    with web.closing:
        yield web
        web.over.set()


def test_once_is_one_round_for_each(web: Web) -> None:
    notes = Notes()
    both = [registration(position=1), registration(position=2)]
    registrar = web.registrar(both, notes)
    registrar.register_once()
    assert sorted(notes.good) == [(1, "added"), (2, "added")]
    assert notes.over == 1
    assert registrar.standing == 2


def test_once_tells_who_failed_and_tries_no_more(web: Web) -> None:
    web.groups["http://g/"] = MemoryGroup(web.time, refuses=RemoteFault("full", code="Client"))
    notes = Notes()
    registrar = web.registrar([registration()], notes)
    registrar.register_once()
    assert notes.bad == [(1, "Client: full", None)]
    assert registrar.standing == 0


def test_a_group_that_hangs_delays_no_other(web: Web) -> None:
    web.hanging.add("http://dead/")
    many = [registration(position=n, group="http://dead/") for n in range(1, 51)]
    many += [registration(position=n, group="http://live/") for n in range(51, 101)]
    notes = Notes()
    registrar = web.registrar(many, notes)
    notes.then = lambda: registrar.stop() if len(notes.good) == 50 else None
    keeping = threading.Thread(target=registrar.keep)
    keeping.start()
    keeping.join(SOON)
    assert not keeping.is_alive()
    web.over.set()
    assert [position for position, _ in sorted(notes.good)] == list(range(51, 101))
    assert notes.bad == []
    assert notes.over == 0


def test_registrations_are_refreshed_when_they_are_due_and_failures_retried(web: Web) -> None:
    group = web.groups["http://g/"] = MemoryGroup(web.time)
    notes = Notes()
    registrar = web.registrar([registration()], notes)

    def move_on() -> None:
        rounds = len(notes.good) + len(notes.bad)
        group.broken = RemoteError("down") if rounds == 2 else None
        # A failed round comes again within the interval, a good one after it.
        web.time.seconds += 1.1 if notes.bad and rounds == 3 else 60.1
        if rounds == 4:
            registrar.stop()

    notes.then = move_on
    registrar.keep()
    assert notes.good == [(1, "added"), (1, "renewed"), (1, "renewed")]
    ((_, reason, retry),) = notes.bad
    assert reason == "down"
    assert retry is not None
    assert 0.5 <= retry <= 1


def test_keeping_ends_after_the_seconds_that_were_given(web: Web) -> None:
    notes = Notes()
    registrar = web.registrar([registration()], notes)
    notes.then = lambda: setattr(web.time, "seconds", 8.0)
    registrar.keep(seconds=7)
    assert notes.good == [(1, "added")]


def test_the_end_ends_every_entry(web: Web) -> None:
    notes = Notes()
    many = [registration(position=n) for n in range(1, 21)]
    registrar = web.registrar(many, notes)
    registrar.register_once()
    assert registrar.end_all() == 0
    assert sorted(notes.gone) == [(n, "") for n in range(1, 21)]
    assert not web.groups["http://g/"].entries


def test_the_end_waits_for_what_is_under_way_and_ends_that_too(web: Web) -> None:
    """An Add that is answered while the command ends must not leave an entry behind."""
    asked, answer = threading.Event(), threading.Event()

    def slow(epr: EndpointReference, dialect: Dialect) -> MemoryResource:
        asked.set()
        assert answer.wait(SOON)
        return web.open(epr, dialect)

    notes = Notes()
    registrar = web.registrar([registration()], notes, open=slow)
    keeping = threading.Thread(target=registrar.keep)
    keeping.start()
    assert asked.wait(SOON)
    registrar.stop()
    keeping.join(SOON)
    answer.set()
    assert registrar.end_all() == 0
    assert notes.gone == [(1, "")]
    assert not web.groups["http://g/"].entries


def test_the_end_does_not_wait_for_ever(web: Web) -> None:
    notes = Notes()
    clock = Clock(wall=web.time.clock().wall)
    registrar = web.registrar([registration()], notes, clock=clock)
    registrar.register_once()
    address = next(iter(web.groups["http://g/"].entries))
    web.hanging.add(address)
    assert registrar.end_all(within=0.05) == 1


def test_a_mistake_of_ours_costs_one_round_and_is_logged(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(epr: EndpointReference, dialect: Dialect) -> MemoryResource:
        raise ZeroDivisionError

    notes = Notes()
    web.registrar([registration()], notes, open=broken).register_once()
    assert notes.bad == [(1, "internal error: ZeroDivisionError", None)]
    assert "ZeroDivisionError" in caplog.text


def test_more_groups_than_threads_share_them() -> None:
    groups = [f"http://g/{n}" for n in range(2 * MAX_THREADS)]
    seen: set[str] = set()
    lanes: Lanes[str] = Lanes(groups, do=lambda work: seen.add(threading.current_thread().name))
    for group in groups:
        lanes.submit(group, group)
    done = [lanes.next_done(SOON) for _ in groups]
    lanes.close()
    assert all(one is not None and one.error is None for one in done)
    assert len(seen) <= MAX_THREADS
    assert lanes.under_way == 0


def test_work_that_nobody_began_can_be_taken_back() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def do(work: int) -> None:
        begun.set()
        assert go_on.wait(SOON)

    lanes: Lanes[int] = Lanes(["g"], do=do)
    for work in range(100):
        lanes.submit("g", work)
    assert begun.wait(SOON)
    taken = lanes.cancel()
    under_way = lanes.under_way
    go_on.set()
    assert 0 < under_way < 100
    assert len(taken) + under_way == 100
    assert all(lanes.next_done(SOON) for _ in range(under_way))
    lanes.close()
