"""One group's view, current whenever it is handed out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from aggregator.errors import StoreUnavailable
from aggregator.view.group_view import NEVER, GroupView
from aggregator.view.reader import GroupReader
from aggregator.waiting import waiting

#: How long readers leave a store in peace that just failed one of them, in seconds.
RETRY_AFTER = 1.0

#: Seconds for which the mark of a store is believed before the store itself is asked again: it may
#: have gone away without anybody writing.
_BELIEVED = 1.0

#: Calls what it is given with a reader of the group; raises StoreUnavailable.
Ask = Callable[[Callable[[GroupReader], None]], None]


class CurrentView:
    """Keeps a view current; `now` is the store's clock, `stale_reads` in seconds.

    `mark` gives a number that changes with everything that is written to the store, None where it
    can't tell.
    """

    def __init__(
        self,
        view: GroupView,
        *,
        ask: Ask,
        now: Callable[[], int],
        stale_reads: float,
        mark: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._view = view
        self._ask = ask
        self._now = now
        self._stale_reads = stale_reads
        self._refreshing = threading.Lock()
        self._begun = self._ended = 0.0
        self._last_good = 0.0
        self._trouble: StoreUnavailable | None = None
        self._mark = mark
        #: The mark before the last refresh that succeeded.
        self._marked: int | None = None

    def ready(self) -> GroupView | None:
        """The view where it is current and that is known without asking the store, else None."""
        mark = self._mark()
        if (
            mark is None
            or mark != self._marked
            or time.monotonic() - self._last_good > _BELIEVED
            or self._view.may_be_stale(self._now())
        ):
            return None
        return self._view

    def get(self) -> GroupView:
        """The view with every change that was committed before the call.

        While the store is away it is handed out as it is, `stale_since` set, for `stale_reads`
        seconds; then StoreUnavailable is raised.
        """
        ready = self.ready()
        if ready is not None:
            return ready
        arrived = time.monotonic()
        trouble = self._trouble
        if trouble is not None:
            # One reader tries whether the store is back; the others don't wait for it to fail.
            if self._just_failed() or not self._refreshing.acquire(blocking=False):
                return self._without_store(trouble)
        elif not self._refreshing.acquire(blocking=False):
            with waiting():
                self._refreshing.acquire()
        try:
            # A refresh that began after we arrived saw all that we may expect to see.
            if self._begun < arrived and not self._just_failed():
                self._refresh()
            trouble = self._trouble
        finally:
            self._refreshing.release()
        return self._view if trouble is None else self._without_store(trouble)

    def _just_failed(self) -> bool:
        return self._trouble is not None and time.monotonic() - self._ended < RETRY_AFTER

    def _refresh(self) -> None:
        begun = time.monotonic()
        # Before the question: what is written meanwhile may be in the answer, or not.
        marked, self._marked = self._mark(), None
        try:
            self._ask(partial(self._view.refresh, now=self._now()))
        except StoreUnavailable as error:
            self._trouble = error
            if self._view.stale_since is None:
                # What it shows is as old as that, not as the outage: nobody may have read lately.
                unknown = time.monotonic() - self._last_good
                self._view.stale_since = self._now() - int(unknown * 1e6)
        else:
            self._trouble = self._view.stale_since = None
            self._last_good, self._marked = begun, marked
        self._begun, self._ended = begun, time.monotonic()

    def _without_store(self, trouble: StoreUnavailable) -> GroupView:
        away = time.monotonic() - self._last_good
        if self._view.sequence == NEVER or away > self._stale_reads:
            raise StoreUnavailable(
                trouble.message, detail=trouble.detail, retry_after=trouble.retry_after
            )
        return self._view
