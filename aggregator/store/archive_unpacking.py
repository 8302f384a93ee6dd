"""Documents of an archive, made from the rows that are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from aggregator.store.archive_packing import Bases, inflate
from aggregator.store.archive_tables import archive_bases
from aggregator.store.chunks import chunks
from aggregator.store.content import unpack
from aggregator.store.statement import Row


class Place(NamedTuple):
    """After which document to go on.

    First come those that reach into the time that is asked for, in the order of their streams, of
    which each has one at most; then the others in the order of their first delivery.
    """

    first: int
    stream: int


class Span(NamedTuple):
    """A document, and when it came: `deliveries` times from `first` to `last`."""

    stream: int
    entry_key: str
    address: str
    first: int
    last: int
    deliveries: int
    size: int
    children: tuple[bytes, ...]

    @property
    def place(self) -> Place:
        """Where it is in the order."""
        return Place(self.first, self.stream)


class Stream(NamedTuple):
    """A stream, with what is known of its span that may still grow."""

    id: int
    entry_key: str
    address: str
    largest: int
    first: int
    last: int
    deliveries: int


_new = tuple.__new__
_BASES = select(archive_bases.c.id, archive_bases.c.content).where(
    archive_bases.c.id.in_(bindparam("ids", expanding=True))
)


def unpacked(stream: Stream | None, rows: Sequence[Row], known: Mapping[int, bytes]) -> list[Span]:
    """The documents of one stream, or of any; without those that were given up meanwhile.

    Without its base one was given up since its row was read.
    """
    if stream is None:
        return [
            Span._make((*told, size, unpack(inflate(content, known[base], size))))
            for *told, base, size, content in rows
            if base in known
        ]
    told = stream[:3]
    spans = [
        # As Span(...) does, in half a microsecond less of the four that a document takes.
        _new(Span, (*told, first, last, came, size, unpack(inflate(content, known[base], size))))
        for first, last, came, base, size, content in rows
        if base in known
    ]
    if spans and spans[-1].first == stream.first:
        # It may have ended since the stream was read.
        grown = max(spans[-1].last, stream.last), max(spans[-1].deliveries, stream.deliveries)
        spans[-1] = spans[-1]._replace(last=grown[0], deliveries=grown[1])
    return spans


def known_bases(connection: Connection, ids: set[int], bases: Bases) -> dict[int, bytes]:
    """The bases that are still kept, of those that are asked for; the one that is none as well."""
    found = {number: base for number in ids if (base := bases.get(number)) is not None}
    missing = sorted(ids - set(found) - {0})
    for chunk in chunks(missing):
        for number, content in connection.execute(_BASES, {"ids": chunk}):
            found[number] = inflate(bytes(content), b"", 2**20)
            bases.put(number, found[number])
    found.setdefault(0, b"")
    return found
