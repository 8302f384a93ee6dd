"""What a service has stored, read past it: who is registered until when, and what was changed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import create_engine, select

from aggregator.store.tables import entry_state, groups

#: Entries that end so soon count as ended and as alive, in microseconds.
_SOON = 20 * 1_000_000


@dataclass(frozen=True, slots=True)
class State:
    """Groups by id with their sequence, and TerminationTimes by group id and key."""

    sequences: dict[int, int]
    ends: dict[tuple[int, str], int | None]

    def changed(self, later: State) -> set[tuple[int, str]]:
        """The entries that are new, gone or end at another time."""
        both = self.ends.keys() | later.ends.keys()
        missing = object()
        return {
            entry
            for entry in both
            if self.ends.get(entry, missing) != later.ends.get(entry, missing)
        }

    def end_of(self, key: str) -> tuple[bool, int | None]:
        """Whether an entry is there, and its TerminationTime."""
        for (_, known), end in self.ends.items():
            if known == key:
                return True, end
        return False, None

    def lives(self, key: str, now: int) -> bool:
        """Whether an entry is there and will be for a while."""
        there, end = self.end_of(key)
        return there and (end is None or end > now + _SOON)


class Ledger:
    """A look into the database of a running service; close it."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)

    @property
    def dialect(self) -> str:
        """What kind of database it is: ``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def read(self) -> State:
        """What is stored now."""
        with self._engine.connect() as connection:
            found = connection.execute(select(groups.c.id, groups.c.sequence))
            sequences = {number: sequence for number, sequence in found}
            columns = (entry_state.c.group_id, entry_state.c.key, entry_state.c.termination)
            ends = {(group, key): end for group, key, end in connection.execute(select(*columns))}
        return State(sequences, ends)

    def close(self) -> None:
        """Leave the database."""
        self._engine.dispose()
