"""How long an archive keeps what, by the settings of its group.

Documents are given up by age, whole days (UTC) at a time, and the oldest first where there are
more of them, or more bytes, than a group may keep. Numbers become buckets, and these are given up
too. It is done in bounded batches, between which others read and write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

from aggregator.archive import metrics
from aggregator.config import GroupSettings, Settings
from aggregator.store.archive_condensing import condense
from aggregator.store.archive_partitions import make_partitions
from aggregator.store.archive_retention import (
    Day,
    archived_days,
    count_points,
    drop_day,
    drop_empty_partitions,
    drop_spans,
)
from aggregator.store.archive_tables import DAY
from aggregator.store.archive_tidying import tidy
from aggregator.store.groups import IDS
from aggregator.store.write import Write
from aggregator.wire.times import SECOND

#: Documents and numbers of one batch; streams that are looked through in one, and their buckets.
_BATCH, _NUMBERS = 500, 10_000
_STREAMS, _BUCKETS = 200, 5000
#: Microseconds between two looks for what nothing is left of, and between two tries to change
#: partitions, which may have to wait for readers.
_SELDOM, _AGAIN = 3600 * SECOND, 600 * SECOND


class Retention:
    """Does a batch each time it is called, as a unit of work; 0 when nothing is left to do."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tidied = self._made = 0
        self._looked_through: dict[int, int] = {}
        self._read: dict[int, int] = {}
        self._condensed: dict[tuple[int, int], int] = {}

    def __call__(self, write: Write) -> int:
        """Give some up; how many rows that were."""
        if write.now - self._made >= _AGAIN:
            self._made = write.now
            make_partitions(write)
        names: Mapping[int, str] = {number: name for name, number in IDS.rows(write.connection)}
        policies = {number: self._policy(name) for number, name in names.items()}
        days = archived_days(write.connection)
        for step in (self._documents_by_age, self._documents_by_amount, self._numbers):
            done = step(write, days, policies)
            if done:
                return done
        if write.now - self._tidied >= _SELDOM:
            return self._tidy(write, policies)
        return 0

    def _policy(self, group: str) -> GroupSettings:
        """That of the group; what a group kept that is configured no more stays as by default."""
        return self._settings.groups.get(group) or GroupSettings(name=group)

    def _documents_by_age(
        self, write: Write, days: list[Day], policies: Mapping[int, GroupSettings]
    ) -> int:
        for day, its in groupby(days, key=lambda one: one.day):
            with_spans = [one for one in its if one.spans > 0]
            due = [one for one in with_spans if _is_due(one, policies, write.now, _age)]
            if due and len(due) == len(with_spans) and self._drop_whole(write, day):
                for one in due:
                    self._tell(policies, one, one.spans)
                return sum(one.spans for one in due)
            for one in due:
                if dropped := drop_spans(write, one, most=_BATCH):
                    self._tell(policies, one, dropped)
                    return dropped
        return 0

    def _drop_whole(self, write: Write, day: int) -> bool:
        """Drop a day's partition, unless somebody reads it or has just been found to."""
        if write.now < self._read.get(day, 0):
            return False
        if drop_day(write, day):
            self._read.pop(day, None)
            return True
        self._read[day] = write.now + _AGAIN
        return False

    def _documents_by_amount(
        self, write: Write, days: list[Day], policies: Mapping[int, GroupSettings]
    ) -> int:
        for group, its in _by_group(days):
            policy = policies[group]
            spans, stored = sum(one.spans for one in its), sum(one.stored for one in its)
            over = _over(spans, policy.archive_deliveries)
            too_large = _over(stored, policy.archive_size)
            for one in its if over or too_large else ():
                most = min(_BATCH, over) if over else _BATCH
                enough = None if over else too_large
                if dropped := drop_spans(write, one, most=most, enough=enough):
                    self._tell(policies, one, dropped)
                    return dropped
        return 0

    def _numbers(self, write: Write, days: list[Day], policies: Mapping[int, GroupSettings]) -> int:
        for one in days:
            policy = policies[one.group_id]
            is_over = _is_due(one, policies, write.now, _series_age)
            if one.points <= 0 or not (is_over or _is_due(one, policies, write.now, _raw_age)):
                continue
            key = one.group_id, one.day
            width = 0 if is_over else round(policy.series_bucket * SECOND)
            after, dropped = condense(
                write, one, after=self._condensed.get(key, 0), width=width, most=_NUMBERS
            )
            if dropped:
                self._condensed[key] = after
                return dropped
            # All were looked at; what came meanwhile is for the next time.
            if self._condensed.pop(key, None) is None:
                count_points(write, one, one.points)
        return 0

    def _tidy(self, write: Write, policies: Mapping[int, GroupSettings]) -> int:
        """Look through a slice of the streams; 0 when all were looked through."""
        before = write.now - DAY
        for group, policy in policies.items():
            age = round(policy.series_age * SECOND)
            after = tidy(
                write,
                group,
                after=self._looked_through.get(group, 0),
                before=before,
                expired=write.now - age if age else 0,
                most=_STREAMS,
                buckets=_BUCKETS,
            )
            if after is not None:
                self._looked_through[group] = after
                return 1
        drop_empty_partitions(write, before=before)
        self._looked_through.clear()
        self._tidied = write.now
        return 0

    def _tell(self, policies: Mapping[int, GroupSettings], day: Day, dropped: int) -> None:
        metrics.DROPPED.labels(policies[day.group_id].name).inc(dropped)


def _age(policy: GroupSettings) -> float:
    return policy.archive_age


def _raw_age(policy: GroupSettings) -> float:
    return policy.series_raw_age


def _series_age(policy: GroupSettings) -> float:
    return policy.series_age


def _is_due(
    day: Day,
    policies: Mapping[int, GroupSettings],
    now: int,
    age: Callable[[GroupSettings], float],
) -> bool:
    """Whether all of a day is older than the group's age; an age of 0 is none."""
    seconds = age(policies[day.group_id])
    return bool(seconds) and day.day + DAY <= now - round(seconds * SECOND)


def _over(amount: int, most: int) -> int:
    return max(0, amount - most) if most else 0


def _by_group(days: list[Day]) -> Iterator[tuple[int, list[Day]]]:
    for group in sorted({one.group_id for one in days}):
        yield group, [one for one in days if one.group_id == group and one.spans > 0]
