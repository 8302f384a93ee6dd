"""What a source is, and what it is offered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from logging import LoggerAdapter
from typing import Any, NamedTuple, Protocol

from aggregator.contract.shared import Collected, Group
from aggregator.model import MemberFacts, Plan
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import Element


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
