"""Partitions of the archive's tables, one for each day, on a database that has such.

They are made ahead. Rows of a day that has none are in the default partition, where they stay: a
partition for that day is not made then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import psycopg
from sqlalchemy import Table

from aggregator.store.archive_tables import DAY, PARTITIONED
from aggregator.store.trouble import DATABASE_ERRORS, cause, is_locked
from aggregator.store.write import Write

#: Days for which there are partitions before they begin.
AHEAD = 7
#: Who changes partitions waits no longer than this for who reads; so does who asks meanwhile.
_PATIENCE = "100ms"
_MICROSECONDS = 1_000_000
#: Another process was faster.
_THERE = (psycopg.errors.DuplicateTable, psycopg.errors.UniqueViolation)


def make_partitions(write: Write, *, ahead: int = AHEAD) -> int:
    """Make those that are missing for today and so many days to come; how many were made."""
    if write.is_sqlite:
        return 0
    today = write.now - write.now % DAY
    made = 0
    for table in PARTITIONED:
        there = partitions(write, table)
        for day in range(today, today + (ahead + 1) * DAY, DAY):
            if day in there or _has_rows(write, table, day):
                continue
            if not _try(write, partial(_make, write, table, day)):
                # The next ones would wait as long, and there is time.
                return made
            made += 1
    return made


def partitions(write: Write, table: Table) -> dict[int, str]:
    """The days that have a partition of their own, with its name."""
    if write.is_sqlite:
        return {}
    rows = write.connection.exec_driver_sql(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        f" WHERE inhparent = '{table.name}'::regclass"
    ).all()
    days = (name.removeprefix(f"{table.name}_") for (name,) in rows)
    return {_instant(day): f"{table.name}_{day}" for day in days if day.isdecimal()}


def drop_partition(write: Write, table: Table, day: int) -> bool:
    """Drop a day's partition with all that is in it; False where that must wait."""
    name = partitions(write, table).get(day)
    if name is None:
        return True

    def drop() -> None:
        write.connection.exec_driver_sql(f"DROP TABLE {name}")

    return _try(write, drop)


def _make(write: Write, table: Table, day: int) -> None:
    name = f"{table.name}_{_name(day)}"
    write.connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL)")
    # Attached, where CREATE ... PARTITION OF would keep readers out of the whole table.
    write.connection.exec_driver_sql(
        f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES FROM ({day}) TO ({day + DAY})"
    )


def _has_rows(write: Write, table: Table, day: int) -> bool:
    column = table.dialect_options["postgresql"]["partition_by"].partition("(")[2].rstrip(")")
    row = write.connection.exec_driver_sql(
        f"SELECT 1 FROM {table.name}_default WHERE {column} >= {day} AND {column} < {day + DAY}"
        " LIMIT 1"
    ).first()
    return row is not None


def _try(write: Write, change: Callable[[], None]) -> bool:
    """Change something that others may be reading; False where they read for too long."""
    write.wrote = True
    connection = write.connection
    usual = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    connection.exec_driver_sql("SAVEPOINT partitions")
    try:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
        change()
    except DATABASE_ERRORS as error:
        if not (is_locked(error) or isinstance(cause(error), _THERE)):
            raise
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT partitions")
        return False
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{usual}'")
    connection.exec_driver_sql("RELEASE SAVEPOINT partitions")
    return True


def _name(day: int) -> str:
    return f"{datetime.fromtimestamp(day // _MICROSECONDS, UTC):%Y%m%d}"


def _instant(name: str) -> int:
    found = datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC)
    return int(found.timestamp()) * _MICROSECONDS
