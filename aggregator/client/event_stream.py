"""Server-sent events read from what comes (HTML, section 9.2.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class StreamEvent(NamedTuple):
    """An event: the id of the stream after it, its name and its data."""

    id: str
    name: str
    data: str


@dataclass(slots=True)
class _Gathered:
    """What came of the present event; the id stays for those after it."""

    id: str = ""
    name: str = ""
    data: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data.append(value)
        elif name == "event":
            self.name = value
        elif name == "id" and "\0" not in value:
            self.id = value

    def told(self) -> StreamEvent | None:
        """The event, where it has data; the next one begins."""
        found = StreamEvent(self.id, self.name or "message", "\n".join(self.data))
        has_data, self.name, self.data = bool(self.data), "", []
        return found if has_data else None


def events_of(
    pieces: Iterable[bytes], *, limit: int, on_id: Callable[[str], None] = lambda id: None
) -> Iterator[StreamEvent]:
    """The events in the pieces of a stream; ValueError for one of more than `limit` bytes.

    `on_id` is told the id of the stream after each block, also after one without data, which is no
    event: a client that comes back names it.
    Lines end with a line feed, before which there may be a carriage return.
    """
    gathered = _Gathered()
    rest = bytearray()
    size = 0
    for piece in pieces:
        rest += piece
        if size + len(rest) > limit:
            raise ValueError(f"an event has more than {limit} bytes")
        *lines, last = rest.split(b"\n")
        rest = bytearray(last)
        for line in lines:
            text = line.removesuffix(b"\r").decode(errors="replace")
            size += len(line)
            if text:
                gathered.take(text)
                continue
            size = 0
            if gathered.id:
                on_id(gathered.id)
            if (found := gathered.told()) is not None:
                yield found
