"""What tests of plug-ins need: scripted sources, recording sinks, a clock that is set by hand.
The project's own tests use it; so may those of other packages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging import LoggerAdapter
from typing import Any
from urllib.parse import urlsplit

from aggregator.contract import (
    AggregatorSink,
    AggregatorSource,
    Collected,
    ConfigBlock,
    Context,
    Delivery,
    Group,
    HttpReply,
    Login,
    Put,
    SinkContext,
    SinkType,
    SourceType,
)
from aggregator.errors import CollectError, ConfigError, DeliverError
from aggregator.model import MemberFacts, Plan
from aggregator.wire.epr import EndpointReference
from aggregator.wire.trigger_rules import TriggerRule

MICROSECONDS = 1_000_000


@dataclass(slots=True)
class ManualClock:
    """A clock that stands until it is told to go on; `instant` is in microseconds."""

    instant: int = 1_767_225_600 * MICROSECONDS

    def now(self) -> int:
        """The instant, as a store's clock gives it."""
        return self.instant

    def seconds(self) -> float:
        """The same in seconds, as a steady clock gives it."""
        return self.instant / MICROSECONDS

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.instant += round(seconds * MICROSECONDS)


class ScriptedSource(AggregatorSource):
    """A source that brings what its script says, one item a collection, the last for ever.

    An item is the children of AggregatorData, a Collected, or an exception to raise.
    """

    def __init__(
        self,
        *script: Sequence[bytes] | Collected | Exception,
        name: str = "ScriptedSource",
        interval: int = 1000,
    ) -> None:
        self.script = list(script)
        self.name = name
        self.interval = interval
        self.collections: list[MemberFacts] = []
        self.released: list[MemberFacts] = []

    def type(self, element: str = "{urn:scripted}Poll") -> SourceType:
        """The plug-in value of this source."""
        return SourceType(self.name, (element,), self)

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Take every block, but one that has the attribute ``refuse``, which is the reason."""
        if reason := block.element.get("refuse"):
            raise ConfigError(reason)
        return Plan(self.name, self.interval, {})

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """The next item of the script."""
        self.collections.append(context.member)
        item = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(item, Exception):
            raise item
        return item if isinstance(item, Collected) else Collected(tuple(item))

    async def release(self, plan: Plan, *, context: Context) -> None:
        """Note the entry."""
        self.released.append(context.member)


class RecordingSink(AggregatorSink):
    """A sink that publishes what came, and keeps it for the test to look at."""

    def __init__(self, *, name: str = "recording") -> None:
        self.name = name
        self.deliveries: list[Delivery] = []
        self.forgotten: list[MemberFacts] = []

    def type(self) -> SinkType:
        """The plug-in value of this sink."""
        return SinkType(self.name, self)

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Keep the batch and publish its content."""
        self.deliveries += batch
        return [delivery.collected.content for delivery in batch]

    async def forget(self, entry: MemberFacts, *, context: SinkContext) -> None:
        """Note the entry."""
        self.forgotten.append(entry)


class FailingSink(AggregatorSink):
    """A sink that can take nothing, or nothing of the entries whose keys are given."""

    def __init__(
        self,
        error: Exception | None = None,
        *,
        keys: Sequence[str] | None = None,
        name: str = "failing",
    ) -> None:
        self.name = name
        self._error = error or DeliverError("this sink takes nothing")
        self._keys = keys

    def type(self) -> SinkType:
        """The plug-in value of this sink."""
        return SinkType(self.name, self)

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Raise the error, unless none of the keys is in the batch."""
        if self._keys is None or any(one.entry.key in self._keys for one in batch):
            raise self._error
        return [delivery.collected.content for delivery in batch]


class ScriptedHttp:
    """`aggregator.contract.Http` that answers by a function and keeps what was asked.

    The function takes the URL and the body and returns the reply or an exception to raise.
    """

    def __init__(self, answer: Callable[[str, bytes], HttpReply | Exception]) -> None:
        self._answer = answer
        self.asked: list[tuple[str, bytes, Mapping[str, str]]] = []

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> HttpReply:
        """The answer to a POST."""
        self.asked.append((url, body, headers))
        reply = self._answer(url, body)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> HttpReply:
        """The answer to a GET."""
        return await self.post(url, b"", headers=headers or {})


async def no_probe(
    name: str, *, address: str, epr: bytes, config: bytes, arguments: Sequence[str] = ()
) -> bytes:
    """A `RunProbe` that runs nothing."""
    raise CollectError(f"no probe {name} in tests", code="refused")


def member(
    address: str = "http://127.0.0.1:9/wsrf/services/Member", *, key: str = "0" * 32
) -> MemberFacts:
    """Facts of a member that does not exist, with a draft EPR."""
    epr = EndpointReference(address)
    wsa = epr.wsa
    xml = f'<m:MemberEPR xmlns:m="urn:m" xmlns:w="{wsa}"><w:Address>{address}</w:Address>'
    return MemberFacts("Group", key, epr, f"{xml}</m:MemberEPR>".encode(), b"<c/>")


class ScriptedConsumers:
    """`aggregator.contract.Consumers` that keeps which addresses were opened and closed, and what
    was put there."""

    def __init__(self, base: str = "http://127.0.0.1:9/consumer/") -> None:
        self._base = base
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.fetched: list[bytes] = []
        self.reports: list[tuple[str, str]] = []

    async def open(self, *, report: tuple[str, str] | None = None) -> str:
        """The next address."""
        self.reports += [report] if report else []
        self.opened.append(f"{self._base}{len(self.opened) + 1}")
        return self.opened[-1]

    def mark(self, address: str) -> str:
        """The address itself."""
        return address

    async def close(self, mark: str) -> None:
        """Note the address."""
        self.closed.append(mark)

    async def put(self, mark: str, messages: Sequence[bytes]) -> int:
        """Keep the messages."""
        self.fetched += messages
        return len(self.fetched)


class ScriptedEvents:
    """`aggregator.contract.Events` that hands out what its script says, a list for each fetch."""

    def __init__(self, *script: Sequence[bytes] | Exception) -> None:
        self.script = list(script)
        self.bound: list[tuple[str, str]] = []
        self.deleted: list[str] = []

    async def bind(self, *, event_id: str, origin: str) -> str:
        """The next queue."""
        self.bound.append((event_id, origin))
        return f"queue-{len(self.bound)}"

    async def fetch(self, name: str, *, event_id: str, origin: str, put: Put) -> bool:
        """Put the next messages of the script."""
        if not self.script:
            return False
        found = self.script.pop(0)
        if isinstance(found, Exception):
            raise found
        await put(found)
        return bool(self.script)

    async def delete(self, name: str) -> None:
        """Note the queue."""
        self.deleted.append(name)

    def read(self, message: bytes) -> bytes:
        """The message itself."""
        return message


@dataclass(slots=True)
class RecordingPorts:
    """`aggregator.contract.Archive` and `Triggers` that remember what they were given."""

    deliveries: list[Delivery] = field(default_factory=list)

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Remember deliveries."""
        self.deliveries += deliveries

    async def watch(
        self, batch: Sequence[Delivery], rules: Sequence[Sequence[TriggerRule]]
    ) -> Sequence[tuple[bytes, ...]]:
        """Remember deliveries; each rule has an empty status."""
        self.deliveries += batch
        return [tuple(b"<TriggerStatus/>" for _ in its) for its in rules]

    watch_members = keep
    forget = staticmethod(lambda entry, rules: None)


@dataclass(slots=True)
class StubContext:
    """`aggregator.contract.Context` and `SinkContext` made of what the test gives."""

    member: MemberFacts = field(default_factory=member)
    memory: Mapping[str, str] = field(default_factory=dict)
    http: Any = None
    run_probe: Any = no_probe
    tables: Any = None
    archive: Any = field(default_factory=RecordingPorts)
    measurements: Any = field(default_factory=RecordingPorts)
    now: int = 0
    consumers: Any = field(default_factory=ScriptedConsumers)
    events: Any = field(default_factory=ScriptedEvents)
    triggers: Any = field(default_factory=RecordingPorts)
    content: tuple[bytes, ...] = ()
    subscription_lifetime: float = 600.0
    logins: Mapping[str, Login] = field(default_factory=dict)

    def login(self, url: str) -> Login | None:
        """The login of the URL's host and port."""
        return self.logins.get(urlsplit(url).netloc)

    @property
    def log(self) -> LoggerAdapter[Any]:
        """A logger for the plug-in."""
        return LoggerAdapter(logging.getLogger(__name__))
