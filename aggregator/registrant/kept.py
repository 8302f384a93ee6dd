"""A registration that is kept alive: added, renewed, added again where its entry is gone."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from aggregator.client.resource import Added, Lifetime
from aggregator.client.spoken import is_wsrf
from aggregator.errors import RemoteError, RemoteFault
from aggregator.registrant.block import RegistrationParameters
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import EndpointReference
from aggregator.wire.times import SECOND

logger = logging.getLogger(__name__)

#: An entry is asked to live for so many refresh intervals (MDS4's LIFETIMECONST), so that it
#: survives one missed renewal.
LIFETIMES = 2
#: The first wait after a failed round, in seconds; each further failure doubles it.
FIRST_RETRY = 1.0
_MAX_DOUBLINGS = 30

Round = Literal["added", "renewed"]


class ServiceGroupResource(Protocol):
    """The operations of a group and of an entry that keeping a registration needs."""

    def add(self, member: EndpointReference, *, content: bytes, termination: int | None) -> Added:
        """Register a member."""

    def set_termination_time(self, termination: int | None) -> Lifetime:
        """Ask for another end."""

    def destroy(self) -> None:
        """End the resource."""

    def current_time(self) -> int | None:
        """The resource's own clock."""


Open = Callable[[EndpointReference, Dialect], ServiceGroupResource]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time: microseconds since 1970 for the wire, and seconds that never jump for waiting."""

    wall: Callable[[], int] = lambda: time.time_ns() // 1000
    steady: Callable[[], float] = time.monotonic


class KeptRegistration:
    """One registration and its entry. One thread at a time may use it."""

    def __init__(self, parameters: RegistrationParameters, *, open: Open, clock: Clock) -> None:
        self.parameters = parameters
        self.entry: EndpointReference | None = None
        self.rounds = 0
        #: Failed rounds since the last good one.
        self.failures = 0
        #: What the last good round did.
        self.last_round: Round = "added"
        #: Seconds from a good round to the next.
        self.pause = float(parameters.interval)
        self._open = open
        self._clock = clock
        self._added = False
        self._has_current_time = True
        self._ends = 0.0

    def refresh(self) -> None:
        """One round: renew the entry, or add it where there is none.

        Raises RemoteError where the round failed; the entry, if any, is then as it was.
        """
        self.rounds += 1
        try:
            self.last_round = self._renew_or_add()
        except Exception:
            self.failures += 1
            raise
        self.failures = 0

    def resume(self, entry: EndpointReference) -> None:
        """Go on with an entry that was made before; it is added anew where it is gone."""
        self.entry = entry
        self._granted(Lifetime(), self._lifetime)

    def retry_after(self, *, jitter: Callable[[float, float], float] = random.uniform) -> float:
        """Seconds until a failed round is tried again, never more than between good ones."""
        doubled = FIRST_RETRY * 2.0 ** min(self.failures - 1, _MAX_DOUBLINGS)
        return min(doubled, self.pause) * jitter(0.5, 1.0)

    def end(self) -> None:
        """End the entry, if there is one; RemoteError where the group did not agree."""
        if self.entry is None:
            return
        resource = self._open(self.entry, self.parameters.dialect)
        try:
            if self.parameters.dialect.family == "gt4":
                # An entry of MDS4 knows no Destroy: its clients deregister by ending its lifetime.
                resource.set_termination_time(self._now_at(resource))
            else:
                resource.destroy()
        except RemoteFault as fault:
            if not is_gone(fault):
                raise
        self.entry = None

    def _renew_or_add(self) -> Round:
        if self.entry is not None:
            try:
                self._renew(self.entry)
                return "renewed"
            except RemoteError as error:
                gone = isinstance(error, RemoteFault) and is_gone(error)
                if not gone and self._clock.steady() < self._ends:
                    raise
                logger.info("the entry of %s is gone, adding it again: %s", self.parameters, error)
                self.entry = None
        self._add()
        return "added"

    def _renew(self, entry: EndpointReference) -> None:
        resource = self._open(entry, self.parameters.dialect)
        now = self._now_at(resource)
        self._granted(resource.set_termination_time(now + self._lifetime), self._lifetime)

    def _add(self) -> None:
        now = self._clock.wall()
        termination = now + self._lifetime
        initial = self.parameters.initial_termination
        if initial is not None and not self._added and initial > now:
            termination = initial
        group = self._open(self.parameters.group, self.parameters.dialect)
        added = group.add(
            self.parameters.member, content=self.parameters.content, termination=termination
        )
        self.entry = added.entry
        self._added = True
        self._has_current_time = True
        self._granted(added.lifetime, termination - now)

    @property
    def _lifetime(self) -> int:
        return LIFETIMES * self.parameters.interval * SECOND

    def _now_at(self, resource: ServiceGroupResource) -> int:
        """The entry's own time, so that a clock that is off on either side does no harm."""
        if self._has_current_time:
            try:
                current = resource.current_time()
            except RemoteFault as fault:
                name = fault.detail.rpartition("}")[2]
                if is_gone(fault) or (is_wsrf(fault) and name != _NO_PROPERTY):
                    raise
                current = None
            if current is not None:
                return current
            self._has_current_time = False
        return self._clock.wall()

    def _granted(self, lifetime: Lifetime, asked: int) -> None:
        """Note when the entry ends; a group that grants little is asked more often."""
        length = asked if lifetime.length is None else lifetime.length
        self._ends = self._clock.steady() + length / SECOND
        self.pause = min(float(self.parameters.interval), max(length / SECOND / LIFETIMES, 1.0))


_NO_PROPERTY = "InvalidResourcePropertyQNameFault"


def is_gone(fault: RemoteFault) -> bool:
    """Whether a fault says that the resource does not exist (any more)."""
    name = fault.detail.rpartition("}")[2]
    return name == "ResourceUnknownFault" or "NoSuchResource" in fault.message
