"""What is delivered, on its way into an archive: in the transaction of the delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from sqlalchemy import bindparam, insert, select, update

from aggregator.store.archive_packing import Bases, base_of, deflate, inflate, is_outdated
from aggregator.store.archive_points import Taken, keep_points
from aggregator.store.archive_tables import (
    DAY,
    archive_bases,
    archive_days,
    archive_spans,
    archive_streams,
)
from aggregator.store.chunks import chunks
from aggregator.store.content import digest, pack
from aggregator.store.groups import IDS
from aggregator.store.statement import Statement
from aggregator.store.upsert import or_add, or_nothing, or_replace
from aggregator.store.write import Write

_STATES = (
    select(
        archive_streams.c.id,
        archive_streams.c.entry_key,
        archive_streams.c.first,
        archive_streams.c.last,
        archive_streams.c.deliveries,
        archive_streams.c.digest,
        archive_streams.c.base,
        archive_streams.c.largest,
    )
    .where(
        archive_streams.c.group_id == bindparam("group"),
        archive_streams.c.entry_key.in_(bindparam("keys", expanding=True)),
    )
    .order_by(archive_streams.c.id)
    .with_for_update()
)
_COLUMNS = [column.name for column in archive_streams.columns if column.name != "id"]
BEGIN = Statement(or_nothing(archive_streams), columns=_COLUMNS)
GO_ON = Statement(
    update(archive_streams)
    .where(archive_streams.c.id == bindparam("of"))
    .values(
        first=bindparam("new_first"),
        last=bindparam("new_last"),
        deliveries=bindparam("new_deliveries"),
        digest=bindparam("new_digest"),
        base=bindparam("new_base"),
        largest=bindparam("new_largest"),
    )
)
END_SPAN = Statement(
    update(archive_spans)
    .where(
        archive_spans.c.stream_id == bindparam("of"),
        archive_spans.c.first == bindparam("since"),
    )
    .values(last=bindparam("until"), deliveries=bindparam("came"))
)
KEEP = Statement(insert(archive_spans))
BASE = Statement(select(archive_bases.c.content).where(archive_bases.c.id == bindparam("of")))
NEW_BASE = Statement(or_replace(archive_bases))
REPLACE_BASE = Statement(
    update(archive_bases)
    .where(archive_bases.c.id == bindparam("of"))
    .values(replaced=bindparam("now"))
)
COUNT = Statement(or_add(archive_days))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery as it is archived.

    `reference` tells members of one `address` apart, `at` is when it came; a pause of more than
    `gap` microseconds ends what was unchanged until then, 0 for none that would. ``children`` are
    those of the AggregatorData, ``values`` the numbers that were taken out of it.
    """

    entry_key: str
    address: str
    reference: str
    epr: bytes
    at: int
    gap: int
    children: tuple[bytes, ...]
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _State:
    """A stream, with its span that grows."""

    id: int
    entry_key: str
    first: int
    last: int
    deliveries: int
    digest: str
    base: int
    largest: int

    def goes_on(self, arrival: Arrival, mark: str) -> bool:
        """Whether a delivery is one more of the span."""
        is_same = self.digest == mark and self.first // DAY == arrival.at // DAY
        return is_same and not 0 < arrival.gap < arrival.at - self.last


def archive(write: Write, group: str, arrivals: Sequence[Arrival], bases: Bases) -> int:
    """Keep deliveries of different entries of a group; how many were not there before.

    One that came again, after trouble with the database, changes nothing. Of a member that is
    polled nor does one from before the newest that is kept; of another each counts as later, by
    whatever clock.
    """
    known: dict[str, int] = dict(IDS.rows(write.connection))
    group_id = known[group]
    states = _states(write, group_id, [one.entry_key for one in arrivals])
    new = [one for one in arrivals if one.entry_key not in states]
    if new:
        write.run_many(BEGIN, [_stream(group_id, one) for one in new])
        states |= _states(write, group_id, [one.entry_key for one in new])
    keeping = _Keeping(write, group_id, bases)
    for arrival in arrivals:
        keeping.keep(arrival, states[arrival.entry_key])
    return keeping.finish()


def _stream(group_id: int, arrival: Arrival) -> dict[str, object]:
    """The row of a stream of which nothing is kept yet."""
    return {
        "group_id": group_id,
        "entry_key": arrival.entry_key,
        "address": arrival.address,
        "reference": arrival.reference,
        "epr": arrival.epr,
        "born": arrival.at,
        "first": arrival.at,
        "last": arrival.at - 1,
        "deliveries": 0,
        "digest": "",
        "base": 0,
        "largest": 0,
    }


def _states(write: Write, group_id: int, keys: Sequence[str]) -> dict[str, _State]:
    return {
        row[1]: _State(*row)
        for chunk in chunks(keys)
        for row in write.connection.execute(_STATES, {"group": group_id, "keys": chunk})
    }


class _Keeping:
    """What one transaction adds to the archive of one group."""

    def __init__(self, write: Write, group_id: int, bases: Bases) -> None:
        self._write = write
        self._group_id = group_id
        self._bases = bases
        self._streams: list[dict[str, object]] = []
        self._ended: list[dict[str, object]] = []
        self._spans: list[dict[str, object]] = []
        self._new_bases: list[dict[str, object]] = []
        self._points: list[Taken] = []
        self._days: dict[int, list[int]] = {}

    def keep(self, arrival: Arrival, before: _State) -> None:
        """Add a delivery to what there is of its stream."""
        packed = pack(arrival.children)
        mark = digest(packed) or "-"
        if arrival.at <= before.last:
            if arrival.gap or (arrival.at == before.last and before.digest in (mark, "")):
                return
            arrival = replace(arrival, at=before.last + 1)
        if before.goes_on(arrival, mark):
            state = replace(before, last=arrival.at, deliveries=before.deliveries + 1)
        else:
            state = self._begin(arrival, before, packed, mark)
        self._streams.append(
            {
                "of": state.id,
                "new_first": state.first,
                "new_last": state.last,
                "new_deliveries": state.deliveries,
                "new_digest": state.digest,
                "new_base": state.base,
                "new_largest": state.largest,
            }
        )
        self._points.append((state.id, arrival.at, arrival.values))

    def finish(self) -> int:
        """Write what was put together; how many deliveries it is."""
        write = self._write
        for statement, rows in (
            (NEW_BASE, self._new_bases),
            (END_SPAN, self._ended),
            (KEEP, self._spans),
            (GO_ON, self._streams),
        ):
            if rows:
                write.run_many(statement, rows)
        keep_points(write, self._group_id, self._points)
        for _, at, values in self._points:
            self._count(at, points=len(values))
        if self._days:
            columns = [column.name for column in archive_days.columns]
            rows_of_days = [
                dict(zip(columns, (self._group_id, day, *counts), strict=True))
                for day, counts in sorted(self._days.items())
            ]
            write.run_many(COUNT, rows_of_days)
        return len(self._streams)

    def _begin(self, arrival: Arrival, state: _State, packed: bytes, mark: str) -> _State:
        at = arrival.at
        if state.deliveries > 1 and state.digest:
            self._ended.append(
                {
                    "of": state.id,
                    "since": state.first,
                    "until": state.last,
                    "came": state.deliveries,
                }
            )
        base = self._base(state.base)
        content = deflate(packed, base)
        stored = len(content)
        if not state.base or (
            is_outdated(len(content), len(packed)) and state.first // DAY != at // DAY
        ):
            number, brought = self._new_base(state, packed, at)
            state = replace(state, base=number)
            content = deflate(packed, self._base(state.base))
            # Who fills the disk with bases is stopped by the same limit.
            stored = len(content) + brought
        self._spans.append(
            {
                "stream_id": state.id,
                "first": at,
                "group_id": self._group_id,
                "last": at,
                "deliveries": 1,
                "base": state.base,
                "size": len(packed),
                "stored": stored,
                "content": content,
            }
        )
        self._count(at, spans=1, stored=stored)
        largest = max(state.largest, len(packed))
        return replace(state, first=at, last=at, deliveries=1, digest=mark, largest=largest)

    def _base(self, number: int) -> bytes:
        if not number:
            return b""
        found = self._bases.get(number)
        if found is None:
            row = BASE.row(self._write.connection, of=number)
            assert row is not None, f"the base {number} is not there"
            found = inflate(bytes(row[0]), b"", 2**20)
            self._bases.put(number, found)
        return found

    def _new_base(self, state: _State, packed: bytes, at: int) -> tuple[int, int]:
        """The number of a base that is now the stream's, and the bytes that it takes."""
        if state.base:
            self._write.run(REPLACE_BASE, of=state.base, now=at)
        base = base_of(packed)
        # Its content tells its number, which therefore never comes to mean another base: that of a
        # transaction that was undone may be known here all the same.
        told = blake2b(b"%d " % state.id + base, digest_size=8).digest()
        number = max(1, int.from_bytes(told) >> 1)
        content = deflate(base, b"")
        self._new_bases.append(
            {"id": number, "stream_id": state.id, "replaced": None, "content": content}
        )
        self._bases.put(number, base)
        return number, len(content)

    def _count(self, at: int, *, spans: int = 0, stored: int = 0, points: int = 0) -> None:
        counts = self._days.setdefault(at - at % DAY, [0, 0, 0])
        for place, more in enumerate((spans, stored, points)):
            counts[place] += more
