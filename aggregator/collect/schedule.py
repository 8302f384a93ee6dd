"""When each entry is collected: one heap of deadlines for all of them.

An entry is due at once when it is new, then at an offset that its key fixes, so that entries with
one interval never fire together, whenever they were registered or the collector was started.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MICROSECONDS = 1_000_000
#: Leftovers of removed entries that are tolerated in the heap before it is built anew.
_LEFTOVERS = 1000


@dataclass(slots=True, eq=False)
class Scheduled:
    """An entry in the schedule; times in seconds of the schedule's clock.

    ``busy`` is held while a collection waits or runs; ``skipped`` counts the turns that fell into
    that time since it was last told. ``trouble`` is the code of the last collection's error.
    """

    entry: int
    group: str
    source: str
    shard: int
    interval: float
    following: float
    busy: bool = False
    trouble: str = ""
    gone: bool = False
    skipped: int = 0
    deadline: float = 0.0
    #: That of the entry's place in the heap; others are leftovers.
    number: int = -1

    @property
    def slow(self) -> bool:
        """Whether the last collection ran out of time."""
        return self.trouble == "timeout"


class Schedule:
    """The deadlines of all entries.

    `clock` gives seconds that only ever go forward; `on_skip` is told of every turn that fell
    into a collection under way, with their number.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        on_skip: Callable[[Scheduled, int], None] = lambda scheduled, turns: None,
    ) -> None:
        self._clock = clock
        self._on_skip = on_skip
        self._entries: dict[int, Scheduled] = {}
        self._heap: list[tuple[float, int, Scheduled]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: int) -> bool:
        return entry in self._entries

    def __iter__(self) -> Iterator[Scheduled]:
        return iter(list(self._entries.values()))

    def get(self, entry: int) -> Scheduled | None:
        """The entry's place in the schedule, None where it has none."""
        return self._entries.get(entry)

    def add(
        self,
        entry: int,
        *,
        key: str,
        group: str,
        source: str,
        shard: int,
        interval: int,
        instant: int,
        at_once: bool,
    ) -> Scheduled:
        """Schedule an entry that is not in the schedule yet.

        `interval` is in milliseconds, `instant` the present one by the store's clock, in
        microseconds. Without `at_once` the entry waits for its own offset.
        """
        now = self._clock()
        micros = interval * 1000
        offset = stable_offset(key, micros)
        # After a first collection the second may wait up to one and a half intervals, so that
        # it never follows on the first one's heels.
        earliest = instant + micros // 2 if at_once else instant
        wait = (earliest - instant + (offset - earliest) % micros) / MICROSECONDS
        scheduled = Scheduled(entry, group, source, shard, interval / 1000, now + wait)
        self._entries[entry] = scheduled
        if at_once:
            self._push(now, scheduled)
        else:
            self._push_following(scheduled, now)
        return scheduled

    def again(self, entry: int, seconds: float) -> None:
        """Let the entry's next turn come after so many seconds, and then as usual."""
        scheduled = self._entries.get(entry)
        if scheduled is not None:
            deadline = self._clock() + max(0.0, seconds)
            scheduled.following = deadline + scheduled.interval
            self._push(deadline, scheduled)

    def remove(self, entry: int) -> Scheduled | None:
        """Take an entry out; None where it was not in."""
        scheduled = self._entries.pop(entry, None)
        if scheduled is not None:
            scheduled.gone = True
            self._tidy()
        return scheduled

    def clear(self) -> None:
        """Take every entry out."""
        for scheduled in self._entries.values():
            scheduled.gone = True
        self._entries.clear()
        self._heap.clear()

    def next_deadline(self) -> float | None:
        """When the next entry is due, None where there is none."""
        while self._heap and not _counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self) -> list[Scheduled]:
        """The entries whose turn it is, earliest first; each is put to its next deadline.

        One that is still busy is passed over and counts the turn as skipped, as it does those
        that passed unseen meanwhile.
        """
        now = self._clock()
        found = []
        while self._heap and self._heap[0][0] <= now:
            item = heapq.heappop(self._heap)
            deadline, _, scheduled = item
            if not _counts(item):
                continue
            passed = self._push_following(scheduled, now)
            if scheduled.busy:
                scheduled.skipped += 1 + passed
                self._on_skip(scheduled, 1 + passed)
            else:
                scheduled.busy = True
                scheduled.deadline = deadline
                found.append(scheduled)
        return found

    def _push_following(self, scheduled: Scheduled, now: float) -> int:
        """Push the next deadline that is still to come; how many had passed already."""
        deadline = scheduled.following
        passed = 0
        if deadline <= now:
            passed = int((now - deadline) // scheduled.interval) + 1
            deadline += passed * scheduled.interval
        scheduled.following = deadline + scheduled.interval
        self._push(deadline, scheduled)
        return passed

    def _push(self, deadline: float, scheduled: Scheduled) -> None:
        scheduled.number = next(self._numbers)
        heapq.heappush(self._heap, (deadline, scheduled.number, scheduled))

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._entries) + _LEFTOVERS:
            self._heap = [item for item in self._heap if _counts(item)]
            heapq.heapify(self._heap)


def _counts(item: tuple[float, int, Scheduled]) -> bool:
    """Whether something in the heap is an entry's next deadline."""
    return not item[2].gone and item[1] == item[2].number


def stable_offset(key: str, interval: int) -> int:
    """A fixed number from 0 up to `interval` for a key, evenly spread over keys."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") * interval >> 64
