"""Elements that producers brought, put together to the values of one resource property.

A resource property is a set of elements of its name (WS-ResourceProperties 1.2, section 4.3), so
that an element of another name is wrapped in one. The properties of GLUECERPType are merged: their
producers bring Clusters and ComputingElements, which become one element, clusters first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from aggregator.member.names import MERGED, split
from aggregator.wire.namespaces import GLUE, clark
from aggregator.wire.parse import Element, serialise

_ORDER = (clark(GLUE, "Cluster"), clark(GLUE, "ComputingElement"))


@dataclass(frozen=True, slots=True)
class Piece:
    """A serialised element, carrying every namespace that it needs, and its Clark name."""

    name: str
    xml: bytes


def pieces_of(root: Element, *, property_name: str) -> tuple[Piece, ...]:
    """What the element that a producer brought gives to the property."""
    if property_name in MERGED and root.tag in MERGED:
        return tuple(_piece(child) for child in root.iterchildren(tag="*"))
    return (_piece(root),)


def _piece(element: Element) -> Piece:
    return Piece(str(element.tag), serialise(element))


def compose(property_name: str, pieces: Iterable[Piece]) -> tuple[bytes, ...]:
    """The property's elements, each by itself; none without pieces."""
    found = list(pieces)
    if found and property_name in MERGED:
        found.sort(key=_rank)
        return (_wrap(property_name, b"".join(piece.xml for piece in found)),)
    return tuple(
        piece.xml if piece.name == property_name else _wrap(property_name, piece.xml)
        for piece in found
    )


def _rank(piece: Piece) -> int:
    """GLUECERPType wants clusters, then computing elements, then what is not GLUE's."""
    return _ORDER.index(piece.name) if piece.name in _ORDER else len(_ORDER)


def _wrap(name: str, content: bytes) -> bytes:
    """An element around bytes; it declares no default namespace that could change them."""
    namespace, local = split(name)
    if not namespace:
        return f"<{local}>".encode() + content + f"</{local}>".encode()
    opening = f"<p:{local} xmlns:p={quoteattr(namespace)}>"
    return opening.encode() + content + f"</p:{local}>".encode()
