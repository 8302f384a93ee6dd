"""A page of a group's changes, with the messages made of them: many subscribers share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aggregator.store.outbox import Told


@dataclass(slots=True)
class Page:
    """Changes in order; `count` makes the group's RegistrationCount as it is now.

    Messages that were made for one subscriber serve all others of the same dialect.
    """

    changes: Sequence[Told]
    count: Callable[[], bytes]
    _made: dict[tuple[int, str, str], bytes] = field(default_factory=dict)

    def message(self, told: Told, name: str, family: str, make: Callable[[], bytes]) -> bytes:
        """The message about a change that bears a name, in a family of dialects."""
        key = told.sequence, name, family
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make()
        return found
