"""What plug-ins of others hand over, looked at before it can spoil a document or the store."""

from __future__ import annotations

from aggregator.contract import AggregatorSink, AggregatorSource
from aggregator.wire.parse import Limits, parse


def is_shipped(plugin: AggregatorSource | AggregatorSink) -> bool:
    """Whether a plug-in comes with the project, whose content our own serialiser made."""
    return type(plugin).__module__.startswith("aggregator.")


def check_content(content: object) -> None:
    """Raise TypeError or MalformedRequest unless it is a tuple of well-formed elements."""
    if not isinstance(content, tuple):
        raise TypeError(f"expected a tuple of bytes, not {type(content).__name__}")
    for child in content:
        if not isinstance(child, bytes):
            raise TypeError(f"expected bytes in the content, not {type(child).__name__}")
        if child.lstrip()[:5] == b"<?xml":
            raise TypeError("the content holds an XML declaration; serialise elements without one")
        limits = Limits(size=len(child), depth=192, nodes=2_000_000, namespaces=256)
        parse(child, limits=limits)


def plain(text: str, longest: int) -> str:
    """A text for clients and the store, without what neither XML nor a database takes."""
    return "".join(c if c.isprintable() else "?" for c in text[:longest])
