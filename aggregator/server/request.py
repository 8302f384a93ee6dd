"""What travels between the WSGI layer, Spyne and the operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from aggregator.model import Caller
from aggregator.wire.dialects import Dialect, Operation
from aggregator.wire.envelope import Envelope

#: The key under which the WSGI environment carries the Request to Spyne's protocol.
ENVIRON_KEY = "aggregator.request"
#: The key under which Spyne's protocol leaves the size of the reply.
SIZE_KEY = "aggregator.size"

Kind = Literal["group", "entry", "consumer", "subscription", "pullpoint", "triggers"]


@dataclass(frozen=True, slots=True)
class Target:
    """The addressed resource: a group, or an entry of it (`key` as far as the path names it).

    That of a consumer is one of our own subscriptions; `key` is its token, and there is no group.
    Nor is there for a subscription of others, whose `key` is its own, or for a pull point, whose
    `key` is its token, or for a trigger, whose `key` is its id; without one it is the service that
    makes them.
    """

    kind: Kind
    group: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A SOAP request that was read, checked and dispatched.

    ``is_gone`` tells whether the client has left meanwhile, as far as that can be seen.
    """

    envelope: Envelope
    operation: Operation
    dialect: Dialect
    target: Target
    caller: Caller
    is_gone: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Reply:
    """The Body's child as pieces of ready bytes, `size` bytes together, and HTTP headers.

    Pieces of a large document are made one at a time while they are sent.
    """

    pieces: Iterable[bytes]
    size: int
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(*pieces: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """A Reply of a few pieces that are there already."""
    return Reply(pieces, sum(map(len, pieces)), headers or {})
