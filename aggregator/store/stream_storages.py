"""Storages of streams: made once, found again, and their rows in the order in which they came."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Insert,
    Table,
    bindparam,
    delete,
    insert,
    inspect,
    or_,
    select,
    update,
)

from aggregator.errors import StreamRefused
from aggregator.store.engine import Store
from aggregator.store.joint import Joint
from aggregator.store.stream_columns import ROW, TIME, StreamColumn
from aggregator.store.stream_tables import (
    VERSION,
    data_table,
    metadata,
    storages,
    versions,
)
from aggregator.store.trouble import translated
from aggregator.store.write import Write

# Any number will do that other programs of the same database hardly use.
_MAKING_LOCK = 0x6D64732D73747265
_MARIADB_LOCK = "SELECT GET_LOCK(CONCAT('mds_stream_', SHA1(DATABASE())), 10)"

# Made once, since all that is stored goes through them.
_own = storages.c.table_key == bindparam("of")
DRAW = update(storages).where(_own).values(last=storages.c.last + bindparam("drawn"))
LAST = select(storages.c.last).where(_own)
DRAW_AND_TELL = DRAW.returning(storages.c.last)


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """A table of rows. `ident` is no other storage's, and the same for ever."""

    key: str
    ident: str
    columns: tuple[StreamColumn, ...]
    table: Table
    insert: Insert


def make_tables(store: Store) -> None:
    """Have the tables there that are not those of storages.

    Raises StreamRefused for a database that a later version has written, and StoreUnavailable.
    """

    def unit(write: Write) -> int:
        if write.connection.dialect.name != "mariadb":
            lock_making(write)
        metadata.create_all(write.connection)
        found = write.connection.execute(select(versions.c.version)).scalar()
        if found is None:
            write.connection.execute(insert(versions).values(version=VERSION))
            return VERSION
        return int(found)

    with _making(store):
        found = store.writer.run(unit)
    if found != VERSION:
        raise StreamRefused(
            f"the database is of version {found} of streams, and this program knows {VERSION}:"
            " use the newer program, or another database"
        )


def add_storage(store: Store, key: str, columns: tuple[StreamColumn, ...]) -> Storage:
    """The storage of a key, made where there is none.

    Raises StreamRefused where there is one of other columns, or a table that is no storage.
    """
    with _making(store):
        return store.writer.run(lambda write: _added(write, key, columns))


@contextmanager
def _making(store: Store) -> Iterator[None]:
    """Let nobody else make tables meanwhile, where making one ends a transaction and its locks."""
    if store.database.writing.dialect.name != "mariadb":
        yield
        return
    with translated("making tables of streams"), store.database.writing.connect() as connection:
        # Until the end of the connection.
        connection.exec_driver_sql(_MARIADB_LOCK)
        yield


def _added(write: Write, key: str, columns: tuple[StreamColumn, ...]) -> Storage:
    lock_making(write)
    table = data_table(key, columns)
    for found in write.connection.execute(select(storages)):
        if found.table_key.lower() != key.lower():
            continue
        there = ", ".join(f"{name} {kind}" for name, kind in json.loads(found.columns))
        if found.table_key != key or found.columns != _written(columns):
            raise StreamRefused(
                f"the storage {found.table_key!r} is there already, with other columns"
                f" ({there}): give the same ones, or another table key"
            )
        # Somebody may have dropped it, to be rid of its rows.
        table.create(write.connection, checkfirst=True)
        return Storage(key, found.ident, columns, table, insert(table))
    if key.lower() in (name.lower() for name in inspect(write.connection).get_table_names()):
        raise StreamRefused(
            f"the database has a table {key!r} that is no storage of streams: choose another"
            " table key, or another database"
        )
    ident = uuid.uuid4().hex[:12]
    values = {"table_key": key, "ident": ident, "columns": _written(columns), "last": 0}
    write.connection.execute(insert(storages).values(values))
    # At the end, for MariaDB commits by it: a table that is missing is made when it is asked for.
    table.create(write.connection, checkfirst=True)
    return Storage(key, ident, columns, table, insert(table))


def _written(columns: Sequence[StreamColumn]) -> str:
    return json.dumps([[column.name, column.type] for column in columns])


def lock_making(write: Write) -> None:
    """Let nobody else make tables or streams until the end of the transaction."""
    write.wrote = True
    if write.connection.dialect.name == "postgresql":
        write.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING_LOCK})")
    elif write.connection.dialect.name == "mariadb":
        write.connection.execute(select(versions.c.version).with_for_update())


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row that is to be stored; its values begin with its instant."""

    storage: Storage
    values: tuple[Any, ...]


def storing(row: NewRow) -> Joint[NewRow, int]:
    """The unit of work that stores a row and returns its number."""
    return Joint(append_rows, row)


def append_rows(write: Write, rows: Sequence[NewRow]) -> list[int]:
    """Store rows; their numbers.

    The numbers of a storage are drawn by an update of its row, as late as can be: who comes second
    waits until the first has committed, so that no row becomes visible before one of a smaller
    number. Storages come in the order of their keys, so that two never wait for each other.
    """
    write.wrote = True
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.storage.key].append(place)
    numbers = [0] * len(rows)
    for key in sorted(places):
        first = _drawn(write.connection, key, len(places[key]))
        storage = rows[places[key][0]].storage
        names = [column.name for column in storage.table.columns]
        made = []
        for number, place in enumerate(places[key], first):
            numbers[place] = number
            made.append(dict(zip(names, (number, *rows[place].values), strict=True)))
        write.connection.execute(storage.insert, made)
    if len(rows) > 1 and write.connection.dialect.name == "postgresql":
        # psycopg sends many rows as a pipeline, after which PostgreSQL (15 at least) never ends a
        # silent session, so that its locks would stay for ever.
        write.connection.exec_driver_sql("SELECT 1")
    return numbers


def _drawn(connection: Connection, key: str, count: int) -> int:
    """The first of so many numbers."""
    drawn = {"of": key, "drawn": count}
    if connection.dialect.update_returning:
        return int(connection.execute(DRAW_AND_TELL, drawn).scalar_one()) - count + 1
    connection.execute(DRAW, drawn)
    return _last(connection, key) - count + 1


def last_row(connection: Connection, storage: Storage) -> int:
    """The number of the row that was stored last; 0 where none was."""
    return _last(connection, storage.key)


def _last(connection: Connection, key: str) -> int:
    return int(connection.execute(LAST, {"of": key}).scalar_one())


class Pruned(NamedTuple):
    """The numbers of rows that were removed, in their order; and up to where rows were looked at,
    None if that was the end of the table."""

    rows: list[int]
    upto: int | None


def prune_rows(
    write: Write,
    storage: Storage,
    *,
    after: int,
    upto: int | None,
    before: float | None,
    most: int,
) -> Pruned:
    """Remove rows, of the next `most` after a number: those up to a number, or from before an
    instant. Those that are neither may lie anywhere: instants are as their callers gave them.
    """
    row, at = storage.table.c[ROW], storage.table.c[TIME]
    asked = select(row, at).where(row > after).order_by(row).limit(most)
    window = write.connection.execute(asked).all()
    old = [
        int(number)
        for number, instant in window
        if (upto is not None and number <= upto) or (before is not None and instant < before)
    ]
    end = int(window[-1][0]) if len(window) == most else None
    if old:
        write.wrote = True
        chosen = [row <= upto] if upto is not None else []
        chosen += [at < before] if before is not None else []
        found = delete(storage.table).where(row > after, row <= old[-1], or_(*chosen))
        write.connection.execute(found)
    return Pruned(old, end)
