"""The values that the whole project speaks of.

Instants are microseconds since 1970 UTC, ``None`` means never. XML that is kept is bytes, each
piece with every namespace that was in scope where it came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aggregator.wire.epr import EndpointReference


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the subject of a verified client certificate (empty without) and the address."""

    identity: str = ""
    address: str = ""

    @property
    def owner(self) -> str:
        """Under which name registrations of this caller are counted and owned."""
        return self.identity or (f"address:{self.address}" if self.address else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a member is collected: what a source's check found, kept in the store as JSON.

    ``interval`` is in milliseconds, 0 for sources that are not polled; those may want to be asked
    every ``upkeep`` milliseconds to look after what they set up. ``data`` holds only what JSON can
    say.
    """

    source: str
    interval: int
    data: Mapping[str, object] = field(default_factory=dict)
    upkeep: int = 0

    @property
    def turn(self) -> int:
        """Milliseconds from one turn of the collector to the next, 0 where it has none."""
        return self.interval or self.upkeep

    def dumps(self) -> str:
        """The plan as it is stored."""
        written = {"source": self.source, "interval": self.interval, "data": self.data}
        return json.dumps({**written, "upkeep": self.upkeep} if self.upkeep else written)

    @staticmethod
    def loads(text: str) -> Plan:
        """The plan that `dumps` wrote."""
        found = json.loads(text)
        return Plan(found["source"], found["interval"], found["data"], found.get("upkeep", 0))


@dataclass(frozen=True, slots=True)
class Registration:
    """What an accepted Add asks for, ready to be stored.

    ``member`` is the serialised MemberEPR as it came, ``config`` the AggregatorConfig element
    (empty in a plain registry that was given none), ``content`` what a plain registry publishes
    (the serialised children of AggregatorData, or of a Content without AggregatorConfig),
    ``dialect`` the name of the dialect that it came in, ``termination`` an instant or None.
    """

    group: str
    member: bytes
    address: str
    dialect: str
    config: bytes
    content: tuple[bytes, ...]
    plan: Plan | None
    sink_plans: Mapping[str, Plan]
    termination: int | None
    fingerprint: str
    caller: Caller
    origin: str = ""
    #: What establishing the collection had to remember, and whether there was that to establish.
    memory: Mapping[str, str] = field(default_factory=dict)
    established: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """How the collection of an entry goes; all of it is data that clients may read.

    ``error_code`` is empty while all is well; ``since`` is when the present trouble began.
    """

    last_attempt: int | None = None
    last_success: int | None = None
    consecutive_failures: int = 0
    error_code: str = ""
    error_message: str = ""
    since: int | None = None
    skipped_overruns: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A ServiceGroupEntry as the views hold it.

    ``id`` orders the entries of a group by registration. ``data`` is the serialised children of
    AggregatorData. ``version`` changes whenever what is published of the entry changes.
    """

    id: int
    group: str
    key: str
    member: bytes
    address: str
    dialect: str
    config: bytes
    data: tuple[bytes, ...]
    health: Health
    interval: int
    termination: int | None
    owner: str
    origin: str
    version: int


ChangeKind = Literal["added", "removed", "renewed", "content", "health"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a group's change log."""

    sequence: int
    at: int
    entry: int
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What a plug-in may know of the entry that it works for."""

    group: str
    key: str
    epr: EndpointReference
    epr_xml: bytes
    config: bytes
