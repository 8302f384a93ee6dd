"""What sources and sinks are offered while they work: the contexts of the plug-in contract."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from logging import LoggerAdapter
from typing import Any

from aggregator.contract import (
    Archive,
    Consumers,
    Events,
    Http,
    Login,
    Measurements,
    RunProbe,
    SinkTables,
    Triggers,
)
from aggregator.errors import CollectError, DeliverError
from aggregator.model import MemberFacts
from aggregator.store.collection import Assignment
from aggregator.wire.epr import read_epr
from aggregator.wire.parse import NO_LIMITS, parse

logger = logging.getLogger(__name__)

Log = LoggerAdapter[Any]


@dataclass(frozen=True, slots=True)
class Offered:
    """What is the same for every entry: the ways to members and executables, the store's clock.

    ``probing`` gathers the names of the sources that have asked for the way to executables.
    ``consumers`` makes the way by which notifications for an entry come, ``subscription_lifetime``
    is in seconds, ``logins`` tells that for an URL.
    """

    http: Http
    run_probe: RunProbe
    clock: Callable[[], int]
    probing: set[str] = field(default_factory=set)
    consumers: Callable[[Assignment], Consumers] | None = None
    subscription_lifetime: float = 600.0
    events: Events | None = None
    logins: Callable[[str], Login | None] = lambda url: None


class EntryContext:
    """`aggregator.contract.Context` of one entry, kept between its collections."""

    __slots__ = (
        "_facts",
        "_offered",
        "_turn",
        "alone",
        "assignment",
        "content",
        "gone",
        "last_success",
        "memory",
        "received",
        "spoilt",
        "unrecorded",
    )

    def __init__(self, assignment: Assignment, *, offered: Offered) -> None:
        self.assignment = assignment
        self.memory: dict[str, str] = dict(assignment.memory)
        self.last_success = assignment.last_success
        #: Whether sinks are told to forget the entry: what is still collected is for nobody.
        self.gone = False
        #: What is published, while a message is received.
        self.content: tuple[bytes, ...] = ()
        #: When a message was received last, in microseconds; 0 for never.
        self.received = 0
        #: Whether no message may be received while the source asks the next time.
        self.alone = False
        #: Whether the error that is shown is of a message or of a sink, no turn's.
        self.spoilt = False
        #: Results that are on their way to the store.
        self.unrecorded = 0
        self._offered = offered
        self._facts: MemberFacts | None = None
        self._turn: asyncio.Lock | None = None

    @property
    def turn(self) -> asyncio.Lock:
        """Held while messages are received for the entry, or while none may be."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    @property
    def is_idle(self) -> bool:
        """Whether nothing is known here that the store does not know."""
        is_free = self._turn is None or not self._turn.locked()
        return is_free and not self.unrecorded and not self.alone and not self.spoilt

    @property
    def member(self) -> MemberFacts:
        """The entry, its member and its AggregatorConfig."""
        if self._facts is None:
            assigned = self.assignment
            self._facts = MemberFacts(
                group=assigned.group,
                key=assigned.key,
                epr=read_epr(parse(assigned.member, limits=NO_LIMITS)),
                epr_xml=assigned.member,
                config=assigned.config,
            )
        return self._facts

    @property
    def http(self) -> Http:
        """The way to members."""
        return self._offered.http

    @property
    def run_probe(self) -> RunProbe:
        """The way to executables."""
        self._offered.probing.add(self.assignment.plan.source)
        return self._offered.run_probe

    @property
    def consumers(self) -> Consumers:
        """The way by which notifications come."""
        if self._offered.consumers is None:
            raise CollectError("notifications do not come here", code="no-consumer")
        return self._offered.consumers(self.assignment)

    def login(self, url: str) -> Login | None:
        """What is configured for the host and the port of an URL."""
        return self._offered.logins(url)

    @property
    def events(self) -> Events:
        """The event bus."""
        if self._offered.events is None:
            raise CollectError("events are not collected here", code="no-events")
        return self._offered.events

    @property
    def subscription_lifetime(self) -> float:
        """How long a subscription is to be asked for, in seconds."""
        return self._offered.subscription_lifetime

    @property
    def now(self) -> int:
        """The present instant by the store's clock, microseconds."""
        return self._offered.clock()

    @property
    def log(self) -> Log:
        """A logger that names group, entry and member."""
        return LoggerAdapter(logger, self.words())

    def words(self) -> dict[str, str]:
        """What a log record about the entry carries."""
        assigned = self.assignment
        return {"group": assigned.group, "entry": assigned.key, "member": assigned.address}


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """`aggregator.contract.SinkContext` of one delivery."""

    sink: str
    group: str
    tables: SinkTables
    archive: Archive
    measurements: Measurements
    clock: Callable[[], int]
    offered_triggers: Triggers | None = None

    @property
    def now(self) -> int:
        """The present instant by the store's clock, microseconds."""
        return self.clock()

    @property
    def triggers(self) -> Triggers:
        """Rules on what is delivered."""
        if self.offered_triggers is None:
            raise DeliverError("rules are not watched here")
        return self.offered_triggers

    @property
    def log(self) -> Log:
        """A logger that names the sink and the group."""
        return LoggerAdapter(logger, {"sink": self.sink, "group": self.group})
