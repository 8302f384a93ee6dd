"""A service group in memory and a clock by hand, for tests of what keeps registrations."""

from __future__ import annotations

from dataclasses import dataclass, field

from aggregator.client.resource import Added, Lifetime
from aggregator.errors import RemoteError, RemoteFault
from aggregator.registrant.block import RegistrationParameters
from aggregator.registrant.kept import Clock, KeptRegistration
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import OASIS, Dialect
from aggregator.wire.epr import EndpointReference

SECOND = 1_000_000
START = 1_800_000_000 * SECOND


@dataclass
class HandClock:
    """Stands still until it is moved."""

    seconds: float = 0.0

    def clock(self) -> Clock:
        return Clock(
            wall=lambda: START + int(self.seconds * SECOND), steady=lambda: 100 + self.seconds
        )


@dataclass
class MemoryGroup:
    """A group that keeps the rules; `ahead` seconds is how far its clock is before ours.

    `broken` is raised by every call, `refuses` by every Add, `told` says whether replies name
    what was granted, `at_most` (seconds) cuts lifetimes.
    """

    time: HandClock
    dialect: Dialect = OASIS
    ahead: float = 0.0
    has_current_time: bool = True
    at_most: float | None = None
    told: bool = True
    broken: RemoteError | None = None
    refuses: RemoteFault | None = None
    entries: dict[str, int | None] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    asked: list[int | None] = field(default_factory=list)
    made: int = 0

    def now(self) -> int:
        return START + int((self.time.seconds + self.ahead) * SECOND)

    def open(self, epr: EndpointReference, dialect: Dialect) -> MemoryResource:
        return MemoryResource(self, epr.address)

    def keep(self, parameters: RegistrationParameters) -> KeptRegistration:
        return KeptRegistration(parameters, open=self.open, clock=self.time.clock())

    def grant(self, termination: int | None) -> int | None:
        self.asked.append(termination)
        if termination is None or self.at_most is None:
            return termination
        return min(termination, self.now() + int(self.at_most * SECOND))

    def lifetime(self, termination: int | None) -> Lifetime:
        return Lifetime(termination, self.now(), told=True) if self.told else Lifetime()


@dataclass
class MemoryResource:
    group: MemoryGroup
    address: str

    def add(self, member: EndpointReference, *, content: bytes, termination: int | None) -> Added:
        self._called("Add")
        if self.group.refuses is not None:
            raise self.group.refuses
        self.group.made += 1
        address = f"entry:{self.group.made}"
        granted = self.group.grant(termination)
        self.group.entries[address] = granted
        return Added(EndpointReference(address), self.group.lifetime(granted))

    def set_termination_time(self, termination: int | None) -> Lifetime:
        self._called("SetTerminationTime")
        self._check_standing()
        granted = self.group.grant(termination)
        self.group.entries[self.address] = granted
        return self.group.lifetime(granted)

    def destroy(self) -> None:
        self._called("Destroy")
        self._check_standing()
        del self.group.entries[self.address]

    def current_time(self) -> int | None:
        self._called("CurrentTime")
        self._check_standing()
        if not self.group.has_current_time:
            name = ns.clark(self.group.dialect.rp, "InvalidResourcePropertyQNameFault")
            raise RemoteFault("no such property", detail=name)
        return self.group.now()

    def _called(self, name: str) -> None:
        self.group.calls.append(name)
        if self.group.broken is not None:
            raise self.group.broken

    def _check_standing(self) -> None:
        until = self.group.entries.get(self.address, 0)
        if until is not None and until <= self.group.now():
            detail = ns.clark(self.group.dialect.r, "ResourceUnknownFault")
            raise RemoteFault("no such entry", detail=detail)


def registration(
    *,
    position: int = 1,
    interval: int = 60,
    initial: int | None = None,
    group: str = "http://g/",
    dialect: Dialect = OASIS,
) -> RegistrationParameters:
    return RegistrationParameters(
        position=position,
        group=EndpointReference(group),
        member=EndpointReference(f"http://m/{position}"),
        interval=interval,
        initial_termination=initial,
        content=b"<Content/>",
        dialect=dialect,
    )
