"""What the views read: whole groups, single entries, and what changed since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, and_, bindparam, select

from aggregator.model import Change, Entry, Health
from aggregator.store.chunks import chunks
from aggregator.store.rows import HEALTH_COLUMNS, entry_of, health_of, select_entries
from aggregator.store.statement import Statement
from aggregator.store.tables import changes, entries, entry_health, groups

#: Entries that are read at once; a whole group may be larger than memory should hold twice.
PAGE = 1000

PAGE_OF_GROUP = Statement(
    select_entries()
    .where(entries.c.group_id == bindparam("group"), entries.c.id > bindparam("after"))
    .order_by(entries.c.id)
    .limit(bindparam("most"))
)
_BY_IDS = select_entries().where(entries.c.id.in_(bindparam("ids", expanding=True)))
_SUCCESSES = select(entry_health.c.entry_id, entry_health.c.last_success).where(
    entry_health.c.entry_id.in_(bindparam("ids", expanding=True))
)
HEALTH = Statement(select(*HEALTH_COLUMNS).where(entry_health.c.entry_id == bindparam("entry")))
SINCE = Statement(
    select(
        groups.c.pruned_to,
        changes.c.sequence,
        changes.c.at,
        changes.c.entry_id,
        changes.c.kind,
    )
    .select_from(groups)
    .outerjoin(
        changes,
        and_(changes.c.group_id == groups.c.id, changes.c.sequence > bindparam("seen")),
    )
    .where(groups.c.id == bindparam("group"))
    .order_by(changes.c.sequence)
)


def load_group(
    connection: Connection, group_id: int, *, after_id: int = 0, limit: int | None = None
) -> Iterator[Entry]:
    """The entries of a group in the order of their registration, at most `limit` of them.

    Expired ones are among them for as long as they are in the store. Pages are read one by one:
    read the group's sequence first, and apply the changes after it when all pages are there.
    """
    remaining = limit
    while remaining is None or remaining > 0:
        most = PAGE if remaining is None else min(PAGE, remaining)
        page = PAGE_OF_GROUP.rows(connection, group=group_id, after=after_id, most=most)
        yield from map(entry_of, page)
        if len(page) < most:
            return
        after_id = entry_of(page[-1]).id
        remaining = None if remaining is None else remaining - most


def load_entries(connection: Connection, ids: Sequence[int]) -> list[Entry]:
    """The entries with these ids, in no certain order; those that are missing were removed."""
    return [
        entry_of(tuple(row))
        for chunk in chunks(ids)
        for row in connection.execute(_BY_IDS, {"ids": chunk})
    ]


def changes_since(connection: Connection, group_id: int, sequence: int) -> list[Change] | None:
    """The group's changes after `sequence`, oldest first.

    None when some of them have left the log already: the reader must load the group anew.
    """
    rows = SINCE.rows(connection, group=group_id, seen=sequence)
    if not rows or rows[0][0] > sequence:
        return None
    return [Change(*row[1:]) for row in rows if row[1] is not None]


def last_successes(connection: Connection, ids: Sequence[int]) -> dict[int, int | None]:
    """When each of the entries was last collected with success; None for never."""
    return {
        entry: success
        for chunk in chunks(ids)
        for entry, success in connection.execute(_SUCCESSES, {"ids": chunk})
    }


def health(connection: Connection, entry_id: int) -> Health:
    """How the collection of an entry goes at this moment; that of a new one when it is gone."""
    row = HEALTH.row(connection, entry=entry_id)
    return Health() if row is None else health_of(row)
