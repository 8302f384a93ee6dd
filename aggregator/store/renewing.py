"""Entries are given new termination times, many in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, column, or_, select, update, values
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

from aggregator.store.many_rows import ManyRows
from aggregator.store.tables import entries, entry_state
from aggregator.store.write import Write

_live = or_(entry_state.c.termination.is_(None), entry_state.c.termination > bindparam("now"))
_WANTED: dict[str, TypeEngine[Any]] = {
    "of_key": Text(),
    "group": BigInteger(),
    "until": BigInteger(),
}


def _renewing(names: Sequence[Sequence[str]]) -> ClauseElement:
    types = list(_WANTED.values())
    rows = [
        tuple(bindparam(name, type_=type_) for name, type_ in zip(row, types, strict=True))
        for row in names
    ]
    wanted = values(*map(column, _WANTED, types)).data(rows).cte("wanted")
    return (
        update(entry_state)
        .where(
            entry_state.c.key == wanted.c.of_key, entry_state.c.group_id == wanted.c.group, _live
        )
        .values(termination=wanted.c.until, version=entry_state.c.version + 1)
        .returning(
            entry_state.c.group_id,
            entry_state.c.key,
            entry_state.c.entry_id,
            # Read by the key of a row that its page is at hand for; a renewal asks nothing twice.
            select(entries.c.address)
            .where(entries.c.id == entry_state.c.entry_id)
            .scalar_subquery()
            .label("address"),
        )
    )


RENEW = ManyRows(tuple(_WANTED), _renewing)


def renew_entries(
    write: Write, renewals: Sequence[tuple[int, str, int | None]]
) -> list[str | None]:
    """Give entries, by group id and key, a new termination time; None for no end.

    Returns the address of each one's member, None where an entry is unknown or has expired by
    now. A termination that has passed already ends the entry.
    """
    write.ended()
    found: list[str | None] = [None] * len(renewals)
    places = list(range(len(renewals)))
    while places:
        # Of what is renewed twice the second comes after the first, as if it had been alone.
        first: dict[tuple[int, str], int] = {}
        for place in places:
            first.setdefault(renewals[place][:2], place)
        rows = [(key, group_id, renewals[place][2]) for (group_id, key), place in first.items()]
        for group_id, key, entry_id, address in write.rows_of_many(RENEW, rows, now=write.now):
            write.change(group_id, entry_id, "renewed")
            found[first[group_id, key]] = address
        done = set(first.values())
        places = [place for place in places if place not in done]
    return found
