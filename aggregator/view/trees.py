"""The tree of a group's property document in one dialect, patched as the group changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from aggregator.errors import AggregatorException
from aggregator.view.fragments import EntryFrame, entry_fragment
from aggregator.view.group_view import GroupView
from aggregator.view.properties import document_tags
from aggregator.wire.dialects import Dialect
from aggregator.wire.parse import NO_LIMITS, Element, parse

log = logging.getLogger(__name__)

#: Entries that are patched before the evaluator looks after its other work.
STEP = 64


def parse_stored(data: bytes) -> Element:
    """The root of bytes that were made here from what is in the store.

    What is there came in through the limits for requests and replies.
    """
    return parse(data, limits=NO_LIMITS)


class GroupTree:
    """The root of the document with its Entry elements; what else it holds changes by the moment
    and is put in by who evaluates.

    Putting an element in place drops declarations that its ancestors make under another prefix,
    so what is answered is never this tree's serialisation.
    """

    def __init__(self, view: GroupView, dialect: Dialect, *, root: str) -> None:
        opening, closing = document_tags(root)
        self.root = parse_stored(opening + closing)
        self._view = view
        self._frame: EntryFrame = view.frame(dialect)
        self._changed = view.watch()
        self._elements: dict[int, Element] = {}
        self._last = 0

    def catch_up(self) -> Iterator[None]:
        """Bring the tree to the state of its view, in steps; between them it is half patched."""
        changed = sorted(self._changed)
        self._changed.clear()
        for count, entry_id in enumerate(changed, start=1):
            self._patch(entry_id)
            if count % STEP == 0:
                yield

    def _patch(self, entry_id: int) -> None:
        old = self._elements.pop(entry_id, None)
        new = self._element(entry_id)
        if new is None:
            if old is not None:
                self.root.remove(old)
            return
        if old is not None:
            self.root.replace(old, new)
        elif entry_id > self._last:
            self.root.append(new)
            self._last = entry_id
        else:
            self._insert(entry_id, new)
        self._elements[entry_id] = new

    def _element(self, entry_id: int) -> Element | None:
        entry = self._view.entry_by_id(entry_id)
        if entry is None:
            return None
        try:
            return parse_stored(entry_fragment(entry, self._frame))
        except AggregatorException:
            log.exception(
                "An entry can't be queried by XPath",
                extra={"group": self._view.facts.name, "entry": entry.key},
            )
            return None

    def _insert(self, entry_id: int, new: Element) -> None:
        # Two writers of a PostgreSQL server may commit in another order than they drew ids.
        before = max((known for known in self._elements if known < entry_id), default=None)
        if before is None:
            self.root.insert(0, new)
        else:
            self._elements[before].addnext(new)
