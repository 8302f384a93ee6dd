"""A line for each call at the level debug: where to, what, how long it took, how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from aggregator.client.replies import describe
from aggregator.errors import RemoteError, RemoteFault

logger = logging.getLogger(__name__)


@contextmanager
def logged_call(url: str, what: str) -> Iterator[None]:
    """Log what happens in this block as one call; nothing of its messages is told."""
    begun = time.monotonic()
    outcome = "interrupted"
    try:
        yield
        outcome = "answered"
    except RemoteError as error:
        kind = "fault" if isinstance(error, RemoteFault) else "failed"
        outcome = f"{kind}: {describe(error).replace(url, without_secrets(url))}"
        raise
    finally:
        seconds = time.monotonic() - begun
        logger.debug(
            "%s: %s, %.3f s, %s",
            without_secrets(url),
            what,
            seconds,
            outcome,
        )


def without_secrets(url: str) -> str:
    """The URL without what may let somebody in: user and password, and the query's words."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    host = parts.netloc.rpartition("@")[2]
    query = "..." if parts.query else ""
    return parts._replace(netloc=host, query=query, fragment="").geturl()
