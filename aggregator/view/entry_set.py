"""The entries of a group in memory: by id, by key, in order, and by when something falls due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from aggregator.view.chunks import Chunks
from aggregator.view.deadlines import Deadlines
from aggregator.view.fragments import GroupFacts, Published, as_stale, stale_at


class EntrySet:
    """Entries with their chunks and deadlines. Every method that changes it tells what changed."""

    def __init__(self, facts: GroupFacts) -> None:
        self.chunks = Chunks()
        self.by_id: dict[int, Published] = {}
        self.by_key: dict[str, Published] = {}
        self._facts = facts
        self._terminations = Deadlines()
        self._staleness = Deadlines()

    def change(self, upserts: Iterable[Published], removed: Collection[int] = ()) -> set[int]:
        """Put entries in, over those of the same id, take others out; the ids that read anew."""
        changed = {}
        for entry in upserts:
            old = self.by_id.get(entry.id)
            if old is not None and old.key == entry.key:
                entry.first_seen = old.first_seen
            if old is not None and _reads_same(old, entry):
                self._take_state(old, entry)
            else:
                changed[entry.id] = entry
                self._index(old, entry)
        gone = [entry_id for entry_id in removed if entry_id in self.by_id]
        for entry_id in gone:
            self.by_key.pop(self.by_id.pop(entry_id).key, None)
        self.chunks.apply(changed, gone)
        self._compact()
        return {*changed, *gone}

    def expire(self, now: int, *, limit: int) -> set[int]:
        """Take out of what has expired at `now` what was due first."""
        due = self._terminations.due(now, limit=limit)
        return self.change((), self._dead(due, now)) if due else set()

    def has_expired(self, now: int) -> bool:
        """Whether `expire` may find something."""
        return self._terminations.is_due(now)

    def _dead(self, due: Iterable[int], now: int) -> set[int]:
        found = ((entry_id, self.by_id.get(entry_id)) for entry_id in due)
        return {entry_id for entry_id, entry in found if entry and not entry.is_alive(now)}

    def has_maybe_stale(self, now: int) -> bool:
        """Whether `maybe_stale` would give anything."""
        return self._staleness.is_due(now)

    def maybe_stale(self, now: int, *, limit: int) -> list[int]:
        """Take out ids of entries whose data, as far as is known here, has got too old.

        They belong to `settle_staleness`, or to `doubt` where the store could not be asked.
        """
        return sorted(set(self._staleness.due(now, limit=limit)))

    def doubt(self, ids: Collection[int], now: int) -> None:
        """Take back what `maybe_stale` gave."""
        for entry_id in ids:
            self._staleness.put(now, entry_id)

    def settle_staleness(self, successes: Mapping[int, int | None], now: int) -> set[int]:
        """Take what `maybe_stale` gave with the last successes that the store knows."""
        stale = []
        for entry_id, success in successes.items():
            entry = self.by_id.get(entry_id)
            if entry is None:
                continue
            entry.saw_success(success)
            moment = stale_at(entry, self._facts)
            if moment is None or moment > now:
                self._staleness.put(moment, entry_id)
            elif not entry.error:
                stale.append(as_stale(entry, self._facts))
        for entry in stale:
            self.by_id[entry.id] = self.by_key[entry.key] = entry
        self.chunks.apply({entry.id: entry for entry in stale}, ())
        return {entry.id for entry in stale}

    def _index(self, old: Published | None, entry: Published) -> None:
        if old is not None:
            self.by_key.pop(old.key, None)
        self.by_id[entry.id] = self.by_key[entry.key] = entry
        if old is None or old.termination != entry.termination:
            self._terminations.put(entry.termination, entry.id)
        self._staleness.put(stale_at(entry, self._facts), entry.id)

    def _take_state(self, old: Published, entry: Published) -> None:
        # The bytes are the same, so the chunk keeps what it has joined.
        if old.termination != entry.termination:
            self._terminations.put(entry.termination, entry.id)
        moment = stale_at(old, self._facts)
        old.termination, old.version = entry.termination, entry.version
        old.owner, old.interval, old.health = entry.owner, entry.interval, entry.health
        if stale_at(old, self._facts) != moment:
            self._staleness.put(stale_at(old, self._facts), entry.id)

    def _compact(self) -> None:
        # Renewals leave their old deadlines behind; those far ahead would pile up.
        most = 4 * len(self.by_id) + 1024
        entries = self.by_id.values()
        if len(self._terminations) > most:
            self._terminations.replace((e.termination, e.id) for e in entries)
        if len(self._staleness) > most:
            self._staleness.replace((stale_at(e, self._facts), e.id) for e in entries)


def _reads_same(old: Published, new: Published) -> bool:
    return (old.key, old.has_config, old.member, old.body, old.error, old.visibility) == (
        (new.key, new.has_config, new.member, new.body, new.error, new.visibility)
    )
