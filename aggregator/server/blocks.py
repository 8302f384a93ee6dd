"""Large pieces of a reply in blocks, so that each can be sent within a client's time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

#: The setting ``server.reply_timeout`` is the time that a client has for one of these.
BLOCK = 256 * 1024


def in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at most `BLOCK`."""
    try:
        for piece in pieces:
            if len(piece) <= BLOCK:
                yield piece
                continue
            for at in range(0, len(piece), BLOCK):
                yield piece[at : at + BLOCK]
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
