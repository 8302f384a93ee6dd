"""Reports on their way to the aggregators: what waits, what became of it, what is dead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, null, select, update

from aggregator.store.chunks import chunks
from aggregator.store.outcomes import HELD
from aggregator.store.report_tables import DEAD, DONE, WAITS, is_dead, reports, waits
from aggregator.store.statement import Statement
from aggregator.store.write import Write
from aggregator.wire.text import plain_text

SHARD = 0
"""Whoever holds the lease on this shard has the aggregators."""

_WHAT = (reports.c.number, reports.c.node, reports.c.type, reports.c.size)
_waits = (waits, reports.c.due <= bindparam("now"))
_wanted = reports.c.type.not_in(bindparam("full", expanding=True))
_OLDEST = select(*_WHAT).where(*_waits, _wanted).order_by(reports.c.number).limit(bindparam("most"))
# Each node's oldest: who reports faster than it is heard keeps no other waiting. All that waits is
# looked at for that, which takes too long for where it is not needed.
_numbered = (
    select(
        *_WHAT,
        func.row_number()
        .over(partition_by=reports.c.node, order_by=reports.c.number)
        .label("place"),
    )
    .where(*_waits, _wanted)
    .subquery()
)
_FAIR = (
    select(*(_numbered.c[column.name] for column in _WHAT))
    .where(_numbered.c.place <= bindparam("each"))
    .order_by(_numbered.c.place, _numbered.c.number)
    .limit(bindparam("most"))
)
_LOAD = (
    select(
        reports.c.number,
        reports.c.node,
        reports.c.report_id,
        reports.c.type,
        reports.c.content_type,
        reports.c.at,
        reports.c.tries,
        reports.c.taken,
        reports.c.data,
    )
    .where(reports.c.number.in_(bindparam("numbers", expanding=True)), waits)
    .order_by(reports.c.number)
)
FINISH = Statement(
    update(reports)
    .where(reports.c.number == bindparam("of"), waits)
    .values(state=DONE, data=null(), taken="", error="")
)
RETRY = Statement(
    update(reports)
    .where(reports.c.number == bindparam("of"), waits)
    .values(
        state=bindparam("then"),
        tries=bindparam("count"),
        due=bindparam("later"),
        taken=bindparam("by"),
        error=bindparam("why"),
    )
)
REVIVE = Statement(
    update(reports)
    .where(reports.c.number == bindparam("of"), is_dead)
    .values(state=WAITS, tries=0, due=0)
)
DEAD_COUNT = Statement(select(func.count()).select_from(reports).where(is_dead))
DEAD_ONES = Statement(
    select(reports.c.number)
    .where(is_dead)
    .order_by(reports.c.number.desc())
    .limit(1)
    .offset(bindparam("most"))
)
BURY = Statement(delete(reports).where(is_dead, reports.c.number <= bindparam("floor")))


class WaitingReport(NamedTuple):
    """A report that waits, without its data."""

    number: int
    node: str
    type: str
    size: int


class StoredReport(NamedTuple):
    """A report with its data; `taken` names who has processed it already."""

    number: int
    node: str
    id: str
    type: str
    content_type: str
    at: int
    tries: int
    taken: frozenset[str]
    data: bytes


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of a report: all is well where `error` is empty.

    Else it is tried again at the instant `due`, or, where that is None, put aside as dead; `tries`
    counts the present one, `taken` names the aggregators that need it no more.
    """

    number: int
    error: str = ""
    tries: int = 0
    due: int | None = 0
    taken: frozenset[str] = frozenset()


def waiting_reports(
    connection: Connection, *, now: int, full: Collection[str], each: int, most: int
) -> list[WaitingReport]:
    """The oldest reports that may be processed now, at most `each` of a node and `most` of all;
    none of the types in `full`."""
    values: dict[str, Any] = {"now": now, "full": list(full), "most": most}
    found = [WaitingReport(*row) for row in connection.execute(_OLDEST, values)]
    if len(found) == most:
        rows = connection.execute(_FAIR, {**values, "each": each})
        return [WaitingReport(*row) for row in rows]
    seen: Counter[str] = Counter()
    fair: list[WaitingReport] = []
    for one in found:
        seen[one.node] += 1
        if seen[one.node] <= each:
            fair.append(one)
    return fair


def load_reports(connection: Connection, numbers: Sequence[int]) -> list[StoredReport]:
    """Reports by their numbers, in order; those that do not wait any more are left out."""
    return [
        StoredReport(*row[:7], frozenset(row[7].split()), row[8])
        for chunk in chunks(numbers)
        for row in connection.execute(_LOAD, {"numbers": chunk})
    ]


def holds(write: Write, *, holder: str, epoch: int) -> bool:
    """Whether `holder` still has the lease on the aggregators, until the commit at least."""
    held: dict[int, int] = dict(HELD.rows(write.connection, of=holder))
    return held.get(SHARD) == epoch


def record_processed(write: Write, found: Sequence[Processed], *, holder: str, epoch: int) -> bool:
    """Record what became of reports; False, and nothing is, where the lease is another's."""
    if not holds(write, holder=holder, epoch=epoch):
        return False
    # By number: another collector that does the same never waits in a ring with this one.
    for one in sorted(found, key=lambda processed: processed.number):
        if not one.error:
            write.run(FINISH, of=one.number)
            continue
        write.run(
            RETRY,
            of=one.number,
            then=DEAD if one.due is None else WAITS,
            count=one.tries,
            later=one.due or 0,
            by=" ".join(sorted(one.taken)),
            why=plain_text(one.error)[:1000],
        )
    return True


def revive_report(write: Write, number: int) -> bool:
    """Have a dead report tried again; False where there is none of that number."""
    return bool(write.run(REVIVE, of=number))


def bury_reports(write: Write, *, most: int) -> int:
    """Drop the oldest dead reports beyond `most`; how many."""
    # The rest looks through all reports.
    if DEAD_COUNT.rows(write.connection)[0][0] <= most:
        return 0
    row = DEAD_ONES.row(write.connection, most=most)
    return write.run(BURY, floor=int(row[0])) if row else 0
