"""All connections of a web worker: how many there may be, how much they may hold, who must go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aggregator.run.connection import Connection, Stage

#: Who goes first where there are too many connections: who costs nobody an answer.
_FIRST_TO_GO = (Stage.LINGERING, Stage.IDLE, Stage.HANDSHAKE, Stage.HEADER, Stage.BODY, Stage.REPLY)
_SILENT = (Stage.IDLE, Stage.HANDSHAKE, Stage.HEADER)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a client has for a header (with the handshake), a body, a piece of a reply, and
    between two requests."""

    header: float
    body: float
    reply: float
    keepalive: float


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections there may be, and bytes of requests and of replies that they hold."""

    connections: int
    requests: int
    replies: int


class Crowd:
    """The connections, and what they hold. `told` is told how many there are. For one thread."""

    def __init__(self, room: Room, *, told: Callable[[int], None]) -> None:
        self.room = room
        self._told = told
        self._connections: dict[Connection, None] = {}
        self._arrived = 0
        self._unsent = 0

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections))

    def add(self, connection: Connection) -> None:
        """Count one more."""
        self._connections[connection] = None
        self._told(len(self._connections))

    def remove(self, connection: Connection) -> None:
        """Count one less, and what it held."""
        del self._connections[connection]
        self._told(len(self._connections))
        self.count_request(connection, 0)
        self.count_reply(connection, 0)

    def count_request(self, connection: Connection, size: int) -> None:
        """Take note that a connection holds so many bytes of a request now."""
        self._arrived += size - connection.arrived
        connection.arrived = size

    def count_reply(self, connection: Connection, size: int) -> None:
        """Take note that a connection holds so many bytes of a reply now."""
        self._unsent += size - connection.unsent
        connection.unsent = size

    def wait_no_longer(self, until: float) -> None:
        """Let those who have said nothing go at an instant."""
        for connection in self:
            if connection.stage in _SILENT and not len(connection.arriving):
                connection.deadline = min(connection.deadline, until)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more connection."""
        return len(self._connections) >= self.room.connections

    def pushed_out(self) -> Connection | None:
        """Who must make room for one more: of those from the address that has the most, the one
        that is missed least and has been so for longest. None while all are being worked on."""
        held = Counter(connection.client[0] for connection in self._connections)
        for address, _ in held.most_common():
            found = [
                connection
                for connection in self._connections
                if connection.client[0] == address and connection.stage in _FIRST_TO_GO
            ]
            if found:
                return min(found, key=lambda c: (_FIRST_TO_GO.index(c.stage), c.since))
        return None

    def too_slow_sender(self) -> Connection | None:
        """Who must go where requests that have not come whole hold too much; else None."""
        if self._arrived <= self.room.requests:
            return None
        return self._longest(Stage.BODY)

    def too_slow_reader(self) -> Connection | None:
        """Who must go where replies that are not taken hold too much; else None."""
        if self._unsent <= self.room.replies:
            return None
        return self._longest(Stage.REPLY)

    def _longest(self, stage: Stage) -> Connection | None:
        found = [c for c in self._connections if c.stage is stage]
        return min(found, key=lambda connection: connection.since, default=None)
