"""What a view needs of the store, for one group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from aggregator.model import Change, Entry


class GroupReader(Protocol):
    """Reads of one group on one connection; each raises StoreUnavailable."""

    def sequence(self) -> int:
        """The sequence of the group's last change."""

    def changes_since(self, sequence: int) -> list[Change] | None:
        """The changes after `sequence`, None where the log no longer reaches back so far."""

    def load_group(self) -> Iterator[Entry]:
        """All entries, by id; expired ones that were not removed yet may be among them."""

    def load_entries(self, ids: Sequence[int]) -> list[Entry]:
        """These entries as they are now; those that are gone are missing."""

    def last_successes(self, ids: Sequence[int]) -> dict[int, int | None]:
        """When these entries were last collected; those that are gone are missing."""
