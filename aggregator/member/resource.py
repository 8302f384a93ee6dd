"""The member's resource properties as ready bytes, replaced piece by piece as producers deliver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from xml.sax.saxutils import escape

from aggregator.member.health import producers_xml
from aggregator.member.names import (
    DOCUMENT,
    METADATA,
    PRODUCERS,
    SERVICE,
    SERVICE_META_DATA,
)
from aggregator.member.pieces import Piece, compose
from aggregator.member.settings import ProducerSettings
from aggregator.model import Health
from aggregator.view.properties import document_tags
from aggregator.wire.dialects import FAMILIES, Dialect
from aggregator.wire.namespaces import XSI, clark
from aggregator.wire.times import format_datetime
from aggregator.wire.topic_properties import (
    TOPIC_SET,
    topic_property_names,
    write_topic_properties,
)

#: Bytes cut where the present time goes; joining them by its text completes them.
Cut = tuple[bytes, ...]


class Resource:
    """What the member publishes; `version` grows with every change.

    Properties without a value yet exist and have no element, as a property of minOccurs 0 does.
    """

    def __init__(
        self, producers: Sequence[ProducerSettings], *, started: int, release: str
    ) -> None:
        """`started` is the instant the service began, `release` its version."""
        self.version = 0
        self._producers = tuple(producers)
        self._pieces: list[tuple[Piece, ...]] = [()] * len(producers)
        self._health = [Health()] * len(producers)
        self._values: dict[str, tuple[Cut, ...]] = {settings.name: () for settings in producers}
        self._fixed: dict[str, Cut] = {SERVICE_META_DATA: (_meta_data(started, release),)}
        self._topics: dict[str, tuple[Cut, ...]] = {}
        for dialect in FAMILIES:
            self._fixed |= _lifetime(dialect)
            topics = [(name,) for name in self._values]
            written = write_topic_properties(topics, dialect=dialect)
            for name, elements in written.items():
                self._topics[name] = tuple((element,) for element in elements)
        self._told: Cut | None = None
        #: Told the name of each property whose value has become another.
        self.on_change: Callable[[str], None] = lambda name: None

    def deliver(self, producer: int, pieces: tuple[Piece, ...]) -> None:
        """Replace what the producer of this number gave before."""
        self._pieces[producer] = pieces
        name = self._producers[producer].name
        together = (
            piece
            for settings, given in zip(self._producers, self._pieces, strict=True)
            if settings.name == name
            for piece in given
        )
        before = self._values[name]
        self._values[name] = tuple((element,) for element in compose(name, together))
        self.version += 1
        if self._values[name] != before:
            self.on_change(name)

    def set_health(self, producer: int, health: Health) -> None:
        """Replace what is told of how the producer does."""
        self._health[producer] = health
        self._told = None
        self.version += 1

    def property(self, name: str) -> Cut | None:
        """The elements of a property side by side, None where there is no such property."""
        elements = self._elements(name)
        return None if elements is None else join_cuts(*elements)

    def _elements(self, name: str) -> tuple[Cut, ...] | None:
        if name == PRODUCERS:
            if self._told is None:
                self._told = (producers_xml(self._producers, self._health),)
            return (self._told,)
        if name in self._fixed:
            return (self._fixed[name],)
        if name in self._topics:
            return self._topics[name]
        return self._values.get(name)

    def names(self, dialect: Dialect) -> tuple[str, ...]:
        """The properties in the order of the document in this dialect."""
        topics = topic_property_names(dialect)
        return (*self._values, SERVICE_META_DATA, *_times(dialect), *topics, PRODUCERS)

    def topics(self, dialect: Dialect) -> tuple[str, ...]:
        """The properties that can be subscribed to.

        Published are those alone that can be configured: what changes of the others, the time, is
        told to nobody.
        """
        return (*self._values, SERVICE_META_DATA, *_times(dialect), PRODUCERS)

    def document(self, dialect: Dialect) -> Cut:
        """The whole resource properties document.

        Its root declares no default namespace, so that every property keeps its meaning.
        """
        head, tail = document_tags(DOCUMENT)
        return join_cuts((head,), *self._parts(dialect), (tail,))

    def elements(self, dialect: Dialect, *, at: str) -> list[bytes]:
        """The children of the document's root, each by itself, as they are at an instant."""
        return [at.encode().join(part) for part in self._parts(dialect)]

    def _parts(self, dialect: Dialect) -> Iterator[Cut]:
        for name in self.names(dialect):
            if name != TOPIC_SET:
                yield from self._elements(name) or ()


def join_cuts(*cuts: Cut) -> Cut:
    """Cuts one after the other, as one."""
    pieces: list[list[bytes]] = [[]]
    for cut in cuts:
        for number, piece in enumerate(cut):
            if number:
                pieces.append([])
            pieces[-1].append(piece)
    return tuple(b"".join(group) for group in pieces)


def _times(dialect: Dialect) -> tuple[str, ...]:
    return tuple(clark(dialect.rl, name) for name in ("CurrentTime", "TerminationTime"))


def _lifetime(dialect: Dialect) -> dict[str, Cut]:
    """The two properties of WS-ResourceLifetime; the member never terminates."""
    head = f'<rl:CurrentTime xmlns:rl="{dialect.rl}">'.encode()
    never = (
        f'<rl:TerminationTime xmlns:rl="{dialect.rl}" xmlns:xsi="{XSI}" xsi:nil="true"/>'.encode()
    )
    return {
        clark(dialect.rl, "CurrentTime"): (head, b"</rl:CurrentTime>"),
        clark(dialect.rl, "TerminationTime"): (never,),
    }


def _meta_data(started: int, release: str) -> bytes:
    return (
        f'<md:ServiceMetaDataInfo xmlns:md="{METADATA}">'
        f"<md:startTime>{format_datetime(started)}</md:startTime>"
        f"<md:version>{escape(release)}</md:version>"
        f"<md:serviceTypeName>{SERVICE}</md:serviceTypeName></md:ServiceMetaDataInfo>"
    ).encode()
