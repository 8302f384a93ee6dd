"""The reads of a view, as the store answers them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aggregator.model import Change, Entry
from aggregator.store import groups, reading


@dataclass(frozen=True, slots=True)
class StoreReader:
    """A GroupReader of one group on one connection of the store."""

    # The store's connection, whose type only the store may name.
    connection: Any
    group_id: int

    def sequence(self) -> int:
        """The sequence of the group's last change."""
        return groups.sequence(self.connection, self.group_id)

    def changes_since(self, sequence: int) -> list[Change] | None:
        """The changes after `sequence`, None where the log no longer reaches back so far."""
        return reading.changes_since(self.connection, self.group_id, sequence)

    def load_group(self) -> Iterator[Entry]:
        """All entries, by id."""
        return reading.load_group(self.connection, self.group_id)

    def load_entries(self, ids: Sequence[int]) -> list[Entry]:
        """These entries as they are now."""
        return reading.load_entries(self.connection, ids)

    def last_successes(self, ids: Sequence[int]) -> dict[int, int | None]:
        """When these entries were last collected."""
        return reading.last_successes(self.connection, ids)
