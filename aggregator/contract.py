"""What a source and a sink are: the contracts that shipped and foreign plug-ins fulfil alike.

A plug-in is one module that ends with a value, ``PLUGIN = SourceType(...)`` or
``PLUGIN = SinkType(...)``. It keeps nothing between calls: what it must remember travels in the
Plan, in ``Collected.remember`` or in the sink's own tables. Raising ConfigError refuses the Add,
CollectError fails this tick alone; anything else is a bug of the plug-in, logged with its
traceback, and nobody else suffers from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging import LoggerAdapter
from typing import Any, NamedTuple, Protocol

from aggregator.model import MemberFacts, Plan
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import Element


@dataclass(frozen=True, slots=True)
class Group:
    """What a plug-in may know of the service group at an Add.

    ``min_interval`` is in milliseconds; ``resolve_probe`` raises ConfigError for a name that may
    not run here and returns the name that ``run_probe`` takes.
    """

    name: str
    min_interval: int
    resolve_probe: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ConfigBlock:
    """The block of an AggregatorConfig that selects a source, in its document.

    ``element`` is the block, ``config`` the whole AggregatorConfig, ``dialect`` the name of the
    dialect in which the Add was written.
    """

    element: Element
    config: Element
    member: EndpointReference
    dialect: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collection brought: the children of AggregatorData, serialised and well-formed.

    Without ``content`` the entry keeps what it has, and sinks hear nothing. ``remember`` is merged
    into what ``Context.memory`` shows at the next collection; small texts only. ``again`` says
    after how many seconds the next turn is due, where that is not as the plan has it.
    """

    content: tuple[bytes, ...] | None
    remember: Mapping[str, str] = field(default_factory=dict)
    again: float | None = None


@dataclass(frozen=True, slots=True)
class HttpReply:
    """The answer of a member: status, the media type with its parameters, and the body."""

    status: int
    content_type: str
    body: bytes


class Http(Protocol):
    """The collector's way to members: bounded, watched, without redirects. Every failure (refused
    address, connection, time, size, TLS) is a CollectError."""

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> HttpReply:
        """Send `body` and return the reply, whatever its status."""

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> HttpReply:
        """Fetch `url` and return the reply, whatever its status."""


class RunProbe(Protocol):
    """Runs an executable of the probe folder under the probe server's rules."""

    async def __call__(
        self, name: str, *, address: str, epr: bytes, config: bytes, arguments: Sequence[str] = ()
    ) -> bytes:
        """Standard output of the probe; CollectError when it failed in any way."""


class Login(NamedTuple):
    """User and password for a host."""

    user: str
    password: str


class Consumers(Protocol):
    """Addresses of the service to which producers send notifications for the present entry; what
    comes to one is handed to `AggregatorSource.receive`, in the order in which it came."""

    async def open(self, *, report: tuple[str, str] | None = None) -> str:
        """A new address, with a token that nobody can guess; it is stored when this returns.
        With a `report`, a node and a type, what the node reports of the type comes there too."""

    def mark(self, address: str) -> str:
        """What to remember of an address: with that it is closed, and nobody can send to it."""

    async def close(self, mark: str) -> None:
        """Take nothing more at the address that has a mark. Safe twice."""

    async def put(self, mark: str, messages: Sequence[bytes]) -> int:
        """Store messages that the source fetched as if they had come there; how many wait now.
        CollectError where the address is closed."""


Put = Callable[[Sequence[bytes]], Awaitable[int]]


class Events(Protocol):
    """The event bus that the service is configured for: durable queues of what is published there.
    An empty event id or origin is any. Every failure of the broker is a CollectError."""

    async def bind(self, *, event_id: str, origin: str) -> str:
        """A new queue that takes what is published from now on; its name."""

    async def fetch(self, name: str, *, event_id: str, origin: str, put: Put) -> bool:
        """Hand some of what waits to `put`; it leaves the queue then. Whether there is more."""

    async def delete(self, name: str) -> None:
        """Delete a queue with what waits in it. Safe twice."""

    def read(self, message: bytes) -> bytes:
        """The element that a fetched message becomes; CollectError where it can't be read."""


class Context(Protocol):
    """What is offered to a source while it works for one entry."""

    @property
    def member(self) -> MemberFacts:
        """The entry, its member and its AggregatorConfig."""

    @property
    def memory(self) -> Mapping[str, str]:
        """What earlier collections of this entry remembered."""

    @property
    def http(self) -> Http:
        """The way to members."""

    @property
    def run_probe(self) -> RunProbe:
        """The way to executables."""

    @property
    def consumers(self) -> Consumers:
        """The way by which notifications come."""

    def login(self, url: str) -> Login | None:
        """What is configured for the host and the port of an URL, and is for nobody else."""

    @property
    def events(self) -> Events:
        """The event bus."""

    @property
    def content(self) -> tuple[bytes, ...]:
        """What the entry publishes now; known while a message is received, else empty."""

    @property
    def subscription_lifetime(self) -> float:
        """How long a subscription is to be asked for, in seconds."""

    @property
    def now(self) -> int:
        """The present instant by the store's clock, microseconds."""

    @property
    def log(self) -> LoggerAdapter[Any]:
        """A logger that names group, entry and member."""


class AggregatorSource:
    """Collects XML about members. Subclass it; only `check` and one of the two ways are needed.

    A source that is pushed to is also asked to `collect`, at its plan's interval where it has one:
    to look after what it set up, and bring nothing.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read the block; raise ConfigError where it can't work. Pure: no I/O. Web worker."""
        raise NotImplementedError

    async def establish(self, plan: Plan, *, context: Context) -> Mapping[str, str]:
        """Prepare the collection inside the Add (subscribe at a producer); what to remember.

        Runs in the web worker, bounded in time, after the intent was stored. ConfigError and
        CollectError refuse the Add; `context` knows no entry yet.
        """
        return {}

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Fetch the data once. Collector. CollectError fails this tick."""
        raise NotImplementedError

    async def receive(self, plan: Plan, message: bytes, *, context: Context) -> Collected:
        """Take a message that was pushed to the member's inbox. Collector."""
        raise NotImplementedError

    async def release(self, plan: Plan, *, context: Context) -> None:
        """Undo `establish` when the entry goes. Collector. Must be safe to call twice."""

    def lasts_until(self, memory: Mapping[str, str]) -> int | None:
        """When what was set up ends by itself, microseconds; None where that is not known."""
        return None


@dataclass(frozen=True, slots=True)
class SourceType:
    """The value that a source module ends with.

    ``elements`` are the Clark names of the AggregatorConfig blocks that it claims; two sources
    that claim one element stop the start of the service.
    """

    name: str
    elements: tuple[str, ...]
    source: AggregatorSource


@dataclass(frozen=True, slots=True)
class Delivery:
    """One collection's result on its way to the sinks; `at` is when it was collected."""

    entry: MemberFacts
    plan: Plan | None
    collected: Collected
    at: int


class SinkTables(Protocol):
    """A sink's own tables. What is written joins the transaction of the delivery."""

    async def read(self, sql: str, **values: object) -> Sequence[Sequence[Any]]:
        """Rows of a SELECT with :name parameters, as committed."""

    def write(self, sql: str, **values: object) -> None:
        """A statement with :name parameters that runs in the delivery's transaction."""


class SinkContext(Protocol):
    """What the collector offers to a sink."""

    @property
    def tables(self) -> SinkTables:
        """The sink's own tables."""

    @property
    def now(self) -> int:
        """The present instant by the store's clock, microseconds."""

    @property
    def log(self) -> LoggerAdapter[Any]:
        """A logger that names the sink and the group."""


class AggregatorSink:
    """Takes what sources collect. Subclass it; only `deliver` is needed."""

    def check(self, config: Element, *, group: Group) -> Plan | None:
        """Look at every registration of the group; ConfigError refuses the Add. Pure."""
        return None

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Take deliveries; for each, the children of AggregatorData to publish, None for none.

        Only what the group's first sink returns is published.
        """
        raise NotImplementedError

    async def forget(self, entry: MemberFacts, *, context: SinkContext) -> None:
        """Drop what is kept of an entry that is gone. Must be safe to call twice."""


@dataclass(frozen=True, slots=True)
class SinkType:
    """The value that a sink module ends with.

    ``migrations`` are the steps that make the sink's own tables, in order, each a tuple of SQL
    statements that SQLite and PostgreSQL both take; every table's name begins with ``sink_`` and
    the sink's name. Steps are only ever appended.
    """

    name: str
    sink: AggregatorSink
    migrations: tuple[tuple[str, ...], ...] = ()
