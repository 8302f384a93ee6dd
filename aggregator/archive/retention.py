"""How long an archive keeps what, by the settings of its group.

Documents are given up by age, whole days (UTC) at a time, and the oldest first where there are
more of them, or more bytes, than a group may keep. Numbers become buckets, and these are given up
too. It is done in bounded batches, between which others read and write.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from aggregator.archive import metrics
from aggregator.config import GroupSettings, Settings
from aggregator.store.archive_condensing import Uncondensable, condense
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
from aggregator.wire.times import SECOND, format_datetime

logger = logging.getLogger(__name__)

#: Documents and numbers of one batch; streams that are looked through in one, and their buckets.
_BATCH, _NUMBERS = 500, 10_000
_STREAMS, _BUCKETS = 200, 5000
#: Microseconds between two looks for what nothing is left of, or at what could not be condensed,
#: and between two tries to drop a partition, which may have to wait for readers.
_SELDOM, _AGAIN = 3600 * SECOND, 600 * SECOND


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far it came: when all streams were looked through, else up to which one in each group;
    and in each group's day up to which series. `dropped` is of the last call, by group."""

    tidied: int = 0
    looked_through: dict[int, int] = field(default_factory=dict)
    condensed: dict[tuple[int, int], int] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)


class Retention:
    """Does a batch each time it is called, as a unit of work; 0 when nothing is left to do.

    A unit may be undone or run again, so it goes on from where it was until `committed` is called.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._before = self._now = _Progress()
        # Until when a day's partition is left alone, and the numbers of a group's day.
        self._read: dict[int, int] = {}
        self._stuck: dict[tuple[int, int], int] = {}

    def committed(self) -> None:
        """What the last call did is durable."""
        for group, dropped in self._now.dropped.items():
            metrics.DROPPED.labels(group).inc(dropped)
        self._now.dropped.clear()
        self._before = self._now

    def __call__(self, write: Write) -> int:
        """Give some up; how many rows that were."""
        before = self._before
        self._now = _Progress(before.tidied, dict(before.looked_through), dict(before.condensed))
        names: Mapping[int, str] = {number: name for name, number in IDS.rows(write.connection)}
        policies = {number: self._policy(name) for number, name in names.items()}
        days = archived_days(write.connection)
        for step in (self._documents_by_age, self._documents_by_amount, self._numbers):
            done = step(write, days, policies)
            if done:
                return done
        if write.now - self._now.tidied >= _SELDOM:
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
            if write.now < self._stuck.get((one.group_id, one.day), 0):
                continue
            width = 0 if is_over else round(policy.series_bucket * SECOND)
            if dropped := self._condense(write, one, policy, width):
                return dropped
        return 0

    def _condense(self, write: Write, day: Day, policy: GroupSettings, width: int) -> int:
        key, condensed = (day.group_id, day.day), self._now.condensed
        try:
            after, dropped = condense(
                write, day, after=condensed.get(key, 0), width=width, most=_NUMBERS
            )
        except Uncondensable as error:
            # Others must not wait for it.
            self._stuck[key] = write.now + _SELDOM
            told = f"{format_datetime(day.day)[:10]}: {error}"
            logger.error(
                "numbers of a day stay as they are: %s", told, extra={"group": policy.name}
            )
            return 0
        if dropped:
            condensed[key] = after
            return dropped
        # All were looked at; what came meanwhile is for the next time.
        if condensed.pop(key, None) is None:
            count_points(write, day, day.points)
        return 0

    def _tidy(self, write: Write, policies: Mapping[int, GroupSettings]) -> int:
        """Look through a slice of the streams; 0 when all were looked through."""
        before = write.now - DAY
        for group, policy in policies.items():
            age = round(policy.series_age * SECOND)
            after = tidy(
                write,
                group,
                after=self._now.looked_through.get(group, 0),
                before=before,
                expired=write.now - age if age else 0,
                most=_STREAMS,
                buckets=_BUCKETS,
            )
            if after is not None:
                self._now.looked_through[group] = after
                return 1
        drop_empty_partitions(write, before=before)
        self._now = _Progress(tidied=write.now, condensed=self._now.condensed)
        return 0

    def _tell(self, policies: Mapping[int, GroupSettings], day: Day, dropped: int) -> None:
        self._now.dropped[policies[day.group_id].name] += dropped


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
