"""The statements that find documents of an archive, of a group or of one stream.

Each looks at what it finds, and at no more: at spans that begin within the time that is asked for,
by an index; of those that began before it, at the last one of each stream, since a span does not
reach beyond its day.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, func, not_, or_, select

from aggregator.store.archive_tables import archive_spans, archive_streams
from aggregator.store.statement import Statement

#: A stream, with its span that may still grow, which knows no more than that it began.
_MEMBERS = (
    select(
        archive_streams.c.id,
        archive_streams.c.entry_key,
        archive_streams.c.address,
        archive_streams.c.largest,
        archive_streams.c.first,
        archive_streams.c.last,
        archive_streams.c.deliveries,
    )
    .where(
        archive_streams.c.group_id == bindparam("group"),
        archive_streams.c.last >= bindparam("since"),
        archive_streams.c.born <= bindparam("until"),
    )
    .order_by(archive_streams.c.id)
)
OF_ADDRESS = Statement(
    _MEMBERS.where(
        archive_streams.c.address == bindparam("address"),
        or_(
            bindparam("any_reference") == 1,
            archive_streams.c.reference == bindparam("reference"),
        ),
    )
)
OF_ENTRY = Statement(_MEMBERS.where(archive_streams.c.entry_key == bindparam("entry_key")))

_is_last = archive_streams.c.first == archive_spans.c.first
_last = case((_is_last, archive_streams.c.last), else_=archive_spans.c.last)
_deliveries = case((_is_last, archive_streams.c.deliveries), else_=archive_spans.c.deliveries)


_place = (archive_spans.c.first, archive_spans.c.stream_id)
_columns = (
    archive_spans.c.stream_id,
    archive_streams.c.entry_key,
    archive_streams.c.address,
    archive_spans.c.first,
    _last.label("until"),
    _deliveries.label("came"),
    archive_spans.c.base,
    archive_spans.c.size,
    archive_spans.c.content,
)
_of_group = archive_spans.c.group_id == bindparam("group")
_of_stream = archive_spans.c.stream_id == bindparam("of")

#: Of one stream, of which the rest is known.
_lean = (
    archive_spans.c.first,
    archive_spans.c.last,
    archive_spans.c.deliveries,
    archive_spans.c.base,
    archive_spans.c.size,
    archive_spans.c.content,
)


def _begun(
    condition: ColumnElement[bool], *, columns: Sequence[ColumnElement[Any]] = _columns
) -> Statement:
    """The next documents that begin within the time that is asked for, as many as may be."""
    # No comparison of pairs, which PostgreSQL would begin an index scan by, from the first row on.
    is_behind = and_(
        archive_spans.c.first == bindparam("after_first"),
        archive_spans.c.stream_id <= bindparam("after_stream"),
    )
    found = select(*columns)
    if condition is _of_group:
        found = found.join(archive_streams, archive_streams.c.id == archive_spans.c.stream_id)
    return Statement(
        found.where(
            condition,
            archive_spans.c.first >= bindparam("begin"),
            archive_spans.c.first <= bindparam("until"),
            not_(is_behind),
        )
        .order_by(*_place)
        .limit(bindparam("most"))
    )


_sizes = (*_place, archive_spans.c.size)
WITHIN = _begun(_of_group)
WITHIN_SIZES = _begun(_of_group, columns=_sizes)
WITHIN_STREAM = _begun(_of_stream, columns=_lean)
WITHIN_STREAM_SIZES = _begun(_of_stream, columns=_sizes)

# Those that began before it and last into it: of each stream the last one at most, and a span does
# not reach beyond its day.
_earlier = archive_spans.alias("earlier")
_latest = (
    select(func.max(_earlier.c.first))
    .where(
        _earlier.c.stream_id == archive_streams.c.id,
        _earlier.c.first < bindparam("since"),
        _earlier.c.first >= bindparam("day"),
    )
    .scalar_subquery()
    .correlate(archive_streams)
)


def _reaching(
    condition: ColumnElement[bool], *, columns: Sequence[ColumnElement[Any]] = _columns
) -> Statement:
    return Statement(
        select(*columns)
        .join(archive_streams, archive_streams.c.id == archive_spans.c.stream_id)
        .where(
            condition,
            archive_streams.c.id > bindparam("after_stream"),
            archive_streams.c.last >= bindparam("since"),
            archive_streams.c.born < bindparam("since"),
            archive_spans.c.first == _latest,
            archive_spans.c.first < bindparam("since"),
            archive_spans.c.first >= bindparam("day"),
            _last >= bindparam("since"),
        )
        .order_by(archive_streams.c.id)
        .limit(bindparam("most"))
    )


_group_reaching = archive_streams.c.group_id == bindparam("group")
REACHING = _reaching(_group_reaching)
REACHING_SIZES = _reaching(_group_reaching, columns=_sizes)
_stream_reaching = archive_streams.c.id == bindparam("of")
REACHING_STREAM = _reaching(_stream_reaching, columns=_lean)
REACHING_STREAM_SIZES = _reaching(_stream_reaching, columns=_sizes)
