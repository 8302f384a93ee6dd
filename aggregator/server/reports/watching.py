"""A client that watches: a stream of server-sent events, which no thread waits for.

It begins after the event that `Last-Event-ID` names, so that who comes back misses nothing that is
kept; what is kept no more is told as an event `missed`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import suppress
from typing import Any

from aggregator.config.report_tokens import ReportRights
from aggregator.errors import StoreUnavailable
from aggregator.server.reports.access import allows
from aggregator.server.reports.updates import ReadyUpdate, Updates, event
from aggregator.waiting import ENDING, Later, Pending

log = logging.getLogger(__name__)

#: Seconds after which a silent stream says that it is there: who is behind a proxy may need it.
_SILENCE = 15.0
#: Milliseconds until a client that lost the stream comes back.
_RETRY = 1000
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


class Stream:
    """The pieces of the reply: events, and in between what to wait for. `close` ends it.

    `types` are those that are wanted, empty for all; `after` is the sequence after which it begins,
    None for what comes from now on. Made in a thread that may wait; raises ReportRefused where
    too many watch.
    """

    def __init__(
        self,
        updates: Updates,
        rights: ReportRights,
        types: Collection[str],
        *,
        after: int | None,
        has_left: Callable[[], bool],
    ) -> None:
        self._updates = updates
        self._rights = rights
        self._types = frozenset(types)
        self._has_left = has_left
        self._last, self._oldest = updates.join()
        self._position = self._last if after is None else after
        self._joined = True
        self._pieces = self._said()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Watch no more. Safe twice."""
        with suppress(ValueError):  # A thread is at it.
            self._pieces.close()
        if self._joined:
            self._joined = False
            self._updates.leave()

    def _said(self) -> Generator[Any, None, None]:
        # Who breaks off before anything came goes on from here too.
        yield f"retry: {_RETRY}\nid: {self._position}\n\n".encode()
        yield from self._missed()
        while not ENDING.is_set() and not self._has_left():
            found = self._updates.after(self._position)
            if found is None:
                # It has to be read, which a thread does that may wait.
                yield Later(lambda: ())
                try:
                    found = self._updates.read_after(self._position)
                except StoreUnavailable as error:
                    # Who watches comes back, and goes on where this ended.
                    log.info("a stream of updates ends: %s", error)
                    return
                if not found:
                    self._position = max(self._position, self._updates.floor)
            for one in found:
                self._position = one.sequence
                if self._wants(one):
                    yield one.event
            if not found:
                yield from self._waited()

    def _missed(self) -> Iterator[bytes]:
        """Tell which updates are kept no more, or that there never were so many."""
        if self._position > self._last:
            said = {"after": self._position, "last": self._last}
            self._position = self._last
            yield event("reset", said, sequence=self._last)
        elif self._position < self._oldest - 1:
            said = {"from": self._position + 1, "to": self._oldest - 1}
            self._position = self._oldest - 1
            yield event("missed", said, sequence=self._position)

    def _waited(self) -> Iterator[bytes | Pending]:
        future = self._updates.wait(self._position)
        if not future.done():
            yield Pending(
                lambda: (),
                when_done=lambda call: future.add_done_callback(lambda _: call()),
                patience=_SILENCE,
            )
        if not future.done():
            self._updates.forget(future)
            # Also past what it does not want, which may be kept no more when it comes back.
            yield f"id: {self._position}\n\n".encode()

    def _wants(self, one: ReadyUpdate) -> bool:
        if self._types and one.type not in self._types:
            return False
        return allows(self._rights.updates, one.type)
