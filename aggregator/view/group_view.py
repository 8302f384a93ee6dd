"""The view of one group in one process: its entries as bytes, brought up to date by changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice

from aggregator.errors import StoreUnavailable
from aggregator.model import Change
from aggregator.view.chunks import Fragments
from aggregator.view.entry_set import EntrySet
from aggregator.view.fragments import EntryFrame, GroupFacts, Published, entry_frame, publish
from aggregator.view.garbage import none_searched
from aggregator.view.reader import GroupReader
from aggregator.waiting import waiting
from aggregator.wire.dialects import FAMILIES, Dialect

#: Entries that are read at a time; between two such steps the evaluator looks after the rest.
STEP = 256
#: Joined bytes of a group are kept up to this size; larger groups are joined for each reader,
#: which costs little beside sending them and would else double the memory of the view.
KEEP_JOINED = 32 * 2**20
#: Seconds between two such steps in which other threads come to their turn.
_REST = 0.0005
#: Sequence of a view that has not been loaded.
NEVER = -1


class GroupView:
    """The entries of a group as of `sequence`.

    Any number of threads may read, one at a time may refresh. The lock is held for moments only:
    never while the store is asked, nor while bytes are made or sent. `stale_since` is when the
    view last knew the store, where it is answering without it.
    """

    def __init__(self, facts: GroupFacts) -> None:
        self.facts = facts
        self.sequence = NEVER
        self.stale_since: int | None = None
        self._lock = threading.RLock()
        self._expiring = threading.Lock()
        self._entries = EntrySet(facts)
        self._frames = {dialect.family: entry_frame(facts, dialect) for dialect in FAMILIES}
        self._watchers: list[set[int]] = []

    def frame(self, dialect: Dialect) -> EntryFrame:
        """The frame of the group's Entry elements."""
        return self._frames[dialect.family]

    def entries(self, dialect: Dialect, *, now: int) -> Fragments:
        """The Entry elements of all entries that have not expired at `now`, by registration."""
        with self._without_expired(now):
            chunks = self._entries.chunks.snapshot()
        frame = self.frame(dialect)
        size = sum(chunk.size(frame) for chunk in chunks)
        return Fragments(size=size, chunks=chunks, frame=frame, keep=size <= KEEP_JOINED)

    def entry(self, key: str, *, now: int) -> Published | None:
        """The entry of a key, None where there is none or it has expired at `now`."""
        entry = self._entries.by_key.get(key)
        return entry if entry is not None and entry.is_alive(now) else None

    def entry_by_id(self, entry_id: int) -> Published | None:
        """The entry of an id, expired or not, None where the view has none."""
        return self._entries.by_id.get(entry_id)

    def entry_by_key(self, key: str) -> Published | None:
        """The entry of a key, expired or not, None where the view has none."""
        return self._entries.by_key.get(key)

    def count(self, *, now: int) -> int:
        """How many entries have not expired at `now`."""
        with self._without_expired(now):
            return len(self._entries.by_id)

    @contextmanager
    def _without_expired(self, now: int) -> Iterator[None]:
        """Hold the lock, while the view has nothing that has expired at `now`."""
        while True:
            self.expire(now)
            with self._lock:
                if not self._entries.has_expired(now):
                    yield
                    return

    def expire(self, now: int) -> None:
        """Take out the entries that have expired at `now`, removed from the store or not.

        Where they are many, others have their turn in between.
        """
        steps = self.expiring(now)
        if next(steps, self) is self:
            return
        with waiting(), self._expiring:
            for _ in steps:
                time.sleep(_REST)

    def expiring(self, now: int) -> Iterator[None]:
        """Do as `expire` does, in small steps."""
        while True:
            # Asked under the lock: in the midst of another's step they are gone from the deadlines
            # and not yet from the entries.
            with self._lock:
                if self._entries.has_expired(now):
                    self._tell(self._entries.expire(now, limit=STEP))
                if not self._entries.has_expired(now):
                    return
            yield

    def watch(self) -> set[int]:
        """A set that the view fills with the ids of entries that read anew or go, present ones
        to begin with; who watches empties it."""
        with self._lock:
            changed = set(self._entries.by_id)
            self._watchers = [*self._watchers, changed]
        return changed

    def unwatch(self, watcher: set[int]) -> None:
        """Fill a set that `watch` gave no more."""
        with self._lock:
            self._watchers = [known for known in self._watchers if known is not watcher]

    def some_of(self, watcher: set[int], *, most: int) -> list[int]:
        """At most so many of the ids in a watcher's set."""
        with self._lock:
            return list(islice(watcher, most))

    def take(self, watcher: set[int], ids: Iterable[int]) -> list[tuple[int, Published | None]]:
        """Those of `ids` that are in a watcher's set, out of it, in order, each with its entry as
        it is now, None where that is gone."""
        with self._lock:
            taken = sorted(watcher.intersection(ids))
            watcher.difference_update(taken)
            return [(entry_id, self._entries.by_id.get(entry_id)) for entry_id in taken]

    def refresh(self, reader: GroupReader, *, now: int) -> None:
        """Take in every change that was committed before the call.

        Raises StoreUnavailable, and then the view is as it was or partly newer.
        """
        with none_searched() if self.sequence == NEVER else nullcontext():
            for _ in self.catch_up(reader, now=now):
                pass

    def catch_up(self, reader: GroupReader, *, now: int) -> Iterator[None]:
        """Do as `refresh` does, in small steps."""
        changes = None if self.sequence == NEVER else reader.changes_since(self.sequence)
        if changes is None:
            yield from self._load(reader, now)
        elif changes:
            yield from self._take(changes, reader, now)
        yield from self._check_staleness(reader, now)

    def _load(self, reader: GroupReader, now: int) -> Iterator[None]:
        # Read before the entries: what is committed in between is read again as a change.
        sequence = reader.sequence()
        fresh = EntrySet(self.facts)
        entries = reader.load_group()
        while batch := list(islice(entries, STEP)):
            fresh.change(publish(entry, facts=self.facts, now=now) for entry in batch)
            yield
        with self._lock:
            self._tell(self._entries.by_id.keys() | fresh.by_id.keys())
            self._entries, self.sequence = fresh, sequence

    def _take(self, changes: list[Change], reader: GroupReader, now: int) -> Iterator[None]:
        last = {change.entry: change.kind for change in changes}
        removed = {entry_id for entry_id, kind in last.items() if kind == "removed"}
        self._change((), removed)
        wanted = iter(sorted(last.keys() - removed))
        while batch := list(islice(wanted, STEP)):
            found = [publish(e, facts=self.facts, now=now) for e in reader.load_entries(batch)]
            gone = set(batch) - {entry.id for entry in found}
            self._change(found, gone)
            yield
        self.sequence = changes[-1].sequence

    def _check_staleness(self, reader: GroupReader, now: int) -> Iterator[None]:
        """Mark entries whose data got old, after asking the store.

        A poll that brings what was there before is no change, so the view did not hear of it.
        """
        while batch := self._maybe_stale(now):
            try:
                known = reader.last_successes(batch)
            except StoreUnavailable:
                self._entries.doubt(batch, now)
                raise
            with self._lock:
                self._tell(self._entries.settle_staleness(known, now))
            yield

    def may_be_stale(self, now: int) -> bool:
        """Whether the store must be asked how old some data is."""
        return self._entries.has_maybe_stale(now)

    def _maybe_stale(self, now: int) -> list[int]:
        with self._lock:
            return self._entries.maybe_stale(now, limit=STEP)

    def _change(self, upserts: Iterable[Published], removed: Collection[int]) -> None:
        with self._lock:
            self._tell(self._entries.change(upserts, removed))

    def _tell(self, changed: set[int]) -> None:
        for watcher in self._watchers:
            watcher.update(changed)
