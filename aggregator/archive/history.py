"""All numbers of a series within a time, in order, for who reads them one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from aggregator.store.archive_series_reading import (
    Bucket,
    find_series,
    read_buckets,
    read_kept,
    read_points,
)
from aggregator.store.groups import group_states

if TYPE_CHECKING:
    from aggregator.store.engine import Store

#: Rows of one query, and series of one member.
_PAGE, _SERIES = 5000, 100
Timed = tuple[int, Bucket]
"""An instant in microseconds, and what came from there on."""
_Read = Callable[..., list[Timed]]


class GroupUnknown(LookupError):
    """Raised for a group that the store does not have."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Numbers of a group's series from `since` on, before `until`; of a member, or of an entry."""

    group: str
    name: str
    since: int
    until: int
    member: str = ""
    entry: str = ""


class History:
    """Reads from a store; no connection is held from one page to the next."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def numbers(self, wanted: Wanted, *, width: int = 0) -> Iterator[Timed]:
        """Buckets of `width` microseconds by their beginning, empty ones left out.

        Without a width it is each number by itself, and of those that were condensed their buckets.
        Entries of one member that came at one time are told together. Raises GroupUnknown, and
        StoreUnavailable.
        """
        read = partial(self._buckets, width=width) if width else self._each
        found = [read(one, wanted.since, wanted.until) for one in self._series(wanted)]
        for instant, same in groupby(merge(*found, key=itemgetter(0)), itemgetter(0)):
            yield instant, reduce(Bucket.with_, (bucket for _, bucket in same))

    def _series(self, wanted: Wanted) -> list[int]:
        groups = {one.name: one.id for one in self._store.query(group_states)}
        if wanted.group not in groups:
            raise GroupUnknown(wanted.group)
        find = partial(
            find_series,
            group_id=groups[wanted.group],
            name=wanted.name,
            since=wanted.since,
            until=wanted.until,
            member=wanted.member,
            entry=wanted.entry,
            most=_SERIES,
        )
        return [one.id for one in self._store.query(find)]

    def _buckets(self, series: int, since: int, until: int, *, width: int) -> Iterator[Timed]:
        while (first := self._first(series, since, until)) is not None:
            # Where nothing came for long, nothing is asked for.
            begin = first - first % width
            end = min(begin + width * _PAGE, until)
            read = partial(
                read_buckets, series_id=series, since=max(begin, since), until=end, width=width
            )
            yield from sorted(self._store.query(read).items(), key=itemgetter(0))
            since = end

    def _first(self, series: int, since: int, until: int) -> int | None:
        """When the first number comes."""
        found = [
            self._store.query(partial(read, series_id=series, since=since, until=until, most=1))
            for read in (read_points, read_kept)
        ]
        return min((page[0][0] for page in found if page), default=None)

    def _each(self, series: int, since: int, until: int) -> Iterator[Timed]:
        pages = (self._pages(read, series, since, until) for read in (read_kept, read_points))
        return merge(*pages, key=itemgetter(0))

    def _pages(self, read: _Read, series: int, since: int, until: int) -> Iterator[Timed]:
        while True:
            page = self._store.query(
                partial(read, series_id=series, since=since, until=until, most=_PAGE)
            )
            yield from page
            if len(page) < _PAGE:
                return
            since = page[-1][0] + 1
