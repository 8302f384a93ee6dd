"""Rows of the four tables of an entry, read as the one Entry that the others know."""

from __future__ import annotations

from sqlalchemy import Select, select

from aggregator.model import Entry, Health
from aggregator.store.content import unpack
from aggregator.store.statement import Row
from aggregator.store.tables import entries, entry_data, entry_health, entry_state, groups

HEALTH_COLUMNS = (
    entry_health.c.last_attempt,
    entry_health.c.last_success,
    entry_health.c.failures,
    entry_health.c.error_code,
    entry_health.c.error_message,
    entry_health.c.error_since,
    entry_health.c.skipped,
)

_HEALTH_ENDS = len(HEALTH_COLUMNS)


def select_entries() -> Select[Row]:
    """A select of entries whose rows `entry_of` reads."""
    return (
        select(
            *HEALTH_COLUMNS,
            entries.c.id,
            groups.c.name,
            entry_state.c.key,
            entries.c.member,
            entries.c.address,
            entries.c.dialect,
            entries.c.config,
            entry_data.c.data,
            entry_state.c.interval,
            entry_state.c.termination,
            entries.c.owner,
            entries.c.origin,
            entry_state.c.version + entry_health.c.version,
        )
        .select_from(entries)
        .join(groups, groups.c.id == entries.c.group_id)
        .join(entry_state, entry_state.c.entry_id == entries.c.id)
        .join(entry_health, entry_health.c.entry_id == entries.c.id)
        .join(entry_data, entry_data.c.entry_id == entries.c.id)
    )


def entry_of(row: Row) -> Entry:
    """The entry in a row of `select_entries`."""
    (
        number, group, key, member, address, dialect, config, data, interval, termination,
        owner, origin, version,
    ) = row[_HEALTH_ENDS:]  # fmt: skip
    return Entry(
        id=number,
        group=group,
        key=key,
        member=member,
        address=address,
        dialect=dialect,
        config=config,
        data=unpack(data),
        health=health_of(row),
        interval=interval,
        termination=termination,
        owner=owner,
        origin=origin,
        version=version,
    )


def health_of(row: Row) -> Health:
    """The health in a row that begins with `HEALTH_COLUMNS`."""
    return Health(*row[:_HEALTH_ENDS])
