"""gzip for replies, piece by piece, so that no reply is held twice."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: The fastest level: index documents shrink tenfold even so.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
_CODINGS = frozenset({"gzip", "x-gzip", "*"})


def accepts_gzip(environ: Mapping[str, Any]) -> bool:
    """Whether the client takes gzip: it names it, or anything, with no weight of zero.

    What it says of gzip itself goes before what it says of anything (RFC 9110, section 12.5.3).
    """
    weights = {}
    for part in str(environ.get("HTTP_ACCEPT_ENCODING") or "").lower().split(","):
        coding, _, parameter = part.partition(";")
        if coding.strip() in _CODINGS:
            weights[coding.strip().removeprefix("x-")] = _weight(parameter)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The gzip stream of `pieces`."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    try:
        for piece in pieces:
            if packed := packer.compress(piece):
                yield packed
        yield packer.flush()
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
