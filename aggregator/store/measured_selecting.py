"""The statements that measurements of our own are read with."""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, func, select

from aggregator.store.measured_tables import (
    measured_buckets,
    measured_delays,
    measured_tests,
    measured_throughput,
)
from aggregator.store.statement import Statement

_tests = measured_tests.c
TESTS = Statement(
    select(_tests.id, _tests.kind, _tests.source, _tests.destination, _tests.settings).order_by(
        _tests.source, _tests.destination, _tests.id
    )
)
NEWEST = Statement(select(func.max(_tests.id)))
OF_PATH = Statement(
    select(_tests.id, _tests.settings, _tests.longest)
    .where(
        _tests.kind == bindparam("kind"),
        _tests.source == bindparam("source"),
        _tests.destination == bindparam("destination"),
    )
    .order_by(_tests.id)
)
ANY_TEST = Statement(select(_tests.id).where(_tests.kind == bindparam("kind")).limit(1))
_ends: tuple[BindParameter[str], ...] = (bindparam("source"), bindparam("destination"))
#: Tests of a kind that have either end of a path as an end of theirs.
EITHER_END = tuple(
    Statement(select(_tests.id).where(_tests.kind == bindparam("kind"), column.in_(_ends)).limit(1))
    for column in (_tests.source, _tests.destination)
)

_at = measured_throughput.c
THROUGHPUT = Statement(
    select(_at.at, _at.throughput, _at.jitter, _at.lost, _at.sent)
    .where(
        _at.test_id == bindparam("of"),
        _at.at >= bindparam("first"),
        _at.at <= bindparam("last"),
    )
    .order_by(_at.at)
    .limit(bindparam("most"))
)
_delay = measured_delays.c
DELAYS = Statement(
    select(*(column for column in measured_delays.columns if column.name != "test_id"))
    .where(
        _delay.test_id == bindparam("of"),
        _delay.begins >= bindparam("first"),
        _delay.begins <= bindparam("last"),
        _delay.ends >= bindparam("reaching"),
    )
    .order_by(_delay.begins, _delay.ends)
    .limit(bindparam("most"))
)
_bucket = measured_buckets.c
BUCKETS = Statement(
    select(_bucket.begins, _bucket.ends, _bucket.place, _bucket.count)
    .where(
        _bucket.test_id == bindparam("of"),
        _bucket.begins >= bindparam("first"),
        _bucket.begins <= bindparam("last"),
    )
    .order_by(_bucket.begins, _bucket.ends, _bucket.place)
)
