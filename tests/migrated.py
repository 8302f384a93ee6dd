"""Schemas of the test server in which the tables are made already: emptied, and used once more.

To make the tables takes the server ten times longer than to empty them, and hundreds of tests
begin with it. A schema that a test left otherwise than it found it is dropped.
"""

from __future__ import annotations

import atexit
import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal
from sqlalchemy import make_url

from tests import databases

#: Pages of 8 KiB; what is larger is dropped, since others would plan their queries for so much.
_LARGE = 300
#: Seconds that the server may take to notice that a process which was in a schema has ended.
_LEAVING = 2.0
_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')"
)
_SHAPE = """
SELECT md5(string_agg(concat_ws(' ', relname, relkind, attname, atttypid, attnotnull, atthasdef),
  ';' ORDER BY relname, attnum))
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = %s::regnamespace"""
#: Who wrote in it has to be gone, or the next to have it would be surprised.
_OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"""
_PAGES = "SELECT sum(relpages) FROM pg_class WHERE relnamespace = %s::regnamespace"
_REFERENCES = """
SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE connamespace = %s::regnamespace AND contype = 'f' AND conrelid <> confrelid"""
_COUNTERS = """
SELECT setval(oid::regclass, 1, false) FROM pg_class
WHERE relnamespace = %s::regnamespace AND relkind = 'S'"""


@dataclass(frozen=True, slots=True)
class _Made:
    """A schema as the migration left it: its shape, and how to bring back what was in it."""

    name: str
    url: str
    tables: frozenset[str]
    shape: str
    emptying: Composed
    filling: Composed


class Schemas:
    """Those of this process, gone at its end."""

    def __init__(self) -> None:
        self._all = contextlib.ExitStack()
        self._free: list[_Made] = []

    def close(self) -> None:
        """Drop them."""
        self._all.close()

    @contextlib.contextmanager
    def one(self) -> Iterator[str]:
        """The URL of a schema with nothing but what the migration makes."""
        made = self._free.pop() if self._free else self._another()
        yield made.url
        if _is_left(made) and _emptied(made):
            self._free.append(made)

    def _another(self) -> _Made:
        from aggregator.store.engine import open_store  # noqa: PLC0415  (unit tests need it not)
        from aggregator.store.migrate import migrate  # noqa: PLC0415

        empty = make_url(self._all.enter_context(databases.postgresql_schema()))
        name = str(empty.query["options"]).rpartition("=")[2]
        named = empty.update_query_dict({"application_name": name})
        url = named.render_as_string(hide_password=False)
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(
                url=url, data_dir=Path(folder), pool_size=1, busy_timeout=9.0, write_timeout=10.0
            )
            migrate(store)
            store.close()
        return _look(url, name)


def _connected(url: str) -> psycopg.Connection[tuple[str, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain)


def _look(url: str, name: str) -> _Made:
    with _connected(url) as connection:
        tables = frozenset(row[0] for row in connection.execute(_TABLES, [name]))
        order: TopologicalSorter[str] = TopologicalSorter({table: () for table in tables})
        for referring, referred in connection.execute(_REFERENCES, [name]):
            order.add(referred, referring)
        ordered = list(order.static_order())
        emptying = [SQL("DELETE FROM {};").format(Identifier(table)) for table in ordered]
        filling = [_filling(connection, table) for table in reversed(ordered)]
        (shape,) = connection.execute(_SHAPE, [name]).fetchone() or ("",)
    return _Made(name, url, tables, shape, Composed(emptying), Composed(filling))


def _filling(connection: psycopg.Connection[tuple[str, ...]], table: str) -> Composed:
    """The statement that brings back the rows of a table."""
    of = Identifier(table)
    found = connection.execute(SQL("SELECT json_agg(t) #>> '{{}}' FROM {} t").format(of)).fetchone()
    rows = found[0] if found and found[0] else "[]"
    return SQL("INSERT INTO {} SELECT * FROM json_populate_recordset(NULL::{}, {});").format(
        of, of, Literal(rows)
    )


def _emptied(made: _Made) -> bool:
    """Bring a schema back to what it was; False where that can't be done."""
    with contextlib.suppress(psycopg.Error), _connected(made.url) as connection:
        connection.execute("SET lock_timeout = '3s'")
        for (table,) in connection.execute(_TABLES, [made.name]).fetchall():
            if table not in made.tables:
                connection.execute(SQL("DROP TABLE IF EXISTS {} CASCADE").format(Identifier(table)))
        if connection.execute(_SHAPE, [made.name]).fetchone() != (made.shape,):
            return False
        if connection.execute(_PAGES, [made.name]).fetchone() > (_LARGE,):
            return False
        connection.execute(made.emptying)
        connection.execute(made.filling)
        connection.execute(_COUNTERS, [made.name])
        return True
    return False


def _is_left(made: _Made) -> bool:
    """Whether all sessions in a schema have ended, some of which may be just about to."""
    deadline = time.monotonic() + _LEAVING
    while time.monotonic() < deadline:
        with _connected(made.url) as connection:
            if connection.execute(_OTHERS, [made.name]).fetchone() == (0,):
                return True
        time.sleep(0.02)
    return False


_schemas = Schemas()
atexit.register(_schemas.close)


@contextlib.contextmanager
def with_tables(kind: str, folder: Path) -> Iterator[str]:
    """A database of a kind, which on a server has the tables of the migration and nothing else."""
    with _schemas.one() if kind == "postgresql" else databases.database(kind, folder) as url:
        yield url
