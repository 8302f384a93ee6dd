"""A delivery as the document that XPath is evaluated on: its AggregatorData."""

from __future__ import annotations

from collections.abc import Iterable

from aggregator.wire import namespaces as ns

#: Prefixes that a document declares, beside those of what it holds.
PREFIXES = {"agg": ns.AGG, "src": ns.XINDICE, "arc": ns.ARCHIVED}

_OPENING = "".join(
    (
        "<agg:AggregatorData",
        *(f' xmlns:{prefix}="{uri}"' for prefix, uri in PREFIXES.items()),
        ">",
    )
).encode()
_CLOSING = b"</agg:AggregatorData>"


def document(children: Iterable[bytes]) -> bytes:
    """The AggregatorData element with these children, each of which stands alone."""
    return _OPENING + b"".join(children) + _CLOSING
