"""Views that nobody reads are kept ready too: they must be there when the store goes away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from aggregator.errors import StoreUnavailable
from aggregator.view.views import Views

log = logging.getLogger(__name__)

#: Seconds between two looks at all views, at least; and at a view that could not be loaded yet.
_SHORTEST = 1.0

#: Looks in the time for which a view is handed out without the store.
_LOOKS = 6


class KeptViews:
    """Loads the views of the `groups` and looks at them again as often as `stale_reads` asks.

    A view is handed out without the store only while it is not older than `stale_reads` (seconds):
    one that nobody has read for longer, or ever, could not be answered in an outage.
    """

    def __init__(self, views: Views, groups: Collection[str], *, stale_reads: float) -> None:
        self._views = views
        self._groups = sorted(groups)
        self._every = max(_SHORTEST, stale_reads / _LOOKS)

    def start(self) -> None:
        """Begin, on a thread that ends with the process."""
        threading.Thread(target=self.run, name="kept views", daemon=True).start()

    def run(self, sleep: Callable[[float], object] = time.sleep) -> None:
        """Look at the views for ever."""
        while True:
            sleep(self._every if self.look() else _SHORTEST)

    def look(self) -> bool:
        """Bring every view up to date; False where the store could not be asked for all."""
        known = True
        for group in self._groups:
            try:
                self._views.current(group)
            except StoreUnavailable:
                # Who reads is told so; here nobody does.
                known = False
            except Exception:
                log.exception("the view of the group %s could not be kept ready", group)
                known = False
        return known
