"""The entries' own particulars in memory: those used last, and those that a farewell needs.

The schedule knows of every entry only when it is due. What its collection needs is read from the
store when it is not here, so that a hundred thousand entries of long intervals cost little.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from aggregator.collect.context import EntryContext, Offered
from aggregator.store.collection import Assignment

#: Entries kept; with a few kilobytes each.
KEPT = 20_000


class Assignments:
    """Contexts by entry id, the oldest dropped.

    Kept for good are those for which `needs_farewell`: once an entry is gone, nothing else tells
    its source or sink what to undo.
    """

    def __init__(
        self,
        offered: Offered,
        *,
        needs_farewell: Callable[[Assignment], bool],
        kept: int = KEPT,
    ) -> None:
        self._offered = offered
        self._needs_farewell = needs_farewell
        self._kept = kept
        self._recent: OrderedDict[int, EntryContext] = OrderedDict()
        self._pinned: dict[int, EntryContext] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._pinned)

    def get(self, entry: int) -> EntryContext | None:
        """The entry's context, None when it must be read from the store."""
        if (pinned := self._pinned.get(entry)) is not None:
            return pinned
        if (recent := self._recent.get(entry)) is not None:
            self._recent.move_to_end(entry)
        return recent

    def put(self, assignment: Assignment) -> EntryContext:
        """Keep what was read from the store; one that is here already stays as it is."""
        if (context := self.get(assignment.id)) is not None:
            return context
        context = EntryContext(assignment, offered=self._offered)
        if self._needs_farewell(assignment):
            self._pinned[assignment.id] = context
            return context
        self._recent[assignment.id] = context
        if len(self._recent) > self._kept:
            self._drop_oldest()
        return context

    def _drop_oldest(self) -> None:
        """Of those at work there must be no second context, which would know nothing of that."""
        oldest = next((entry for entry, one in self._recent.items() if one.is_idle), None)
        if oldest is not None:
            del self._recent[oldest]

    def drop(self, entry: int) -> EntryContext | None:
        """Let an entry go; its context where a farewell needs it."""
        self._recent.pop(entry, None)
        return self._pinned.pop(entry, None)

    def clear(self) -> None:
        """Let all go, without farewells."""
        self._recent.clear()
        self._pinned.clear()
