"""Connections to a database of measurements that is somebody else's: read, and never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    TextClause,
    bindparam,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from aggregator.errors import ConfigError, MeasurementError
from aggregator.store.foreign_urls import with_driver
from aggregator.store.measured_limits import Budget, limited
from aggregator.store.measured_trouble import trouble
from aggregator.store.postgresql import TimedConnection

Row = Sequence[Any]
#: Seconds within which a server has to take a connection.
_CONNECT = 5
_EXPECTED = (
    "expected is an URL such as mariadb+pymysql://user@host/name,"
    " postgresql+psycopg://user@host/name or sqlite:////path"
)
_MYSQL = ("mysql", "mariadb")
_AT_FIRST = {
    "sqlite": "PRAGMA query_only = ON",
    # Numbers of single precision come with the six digits that they have, as elsewhere.
    "postgresql": "SET default_transaction_read_only = on; SET extra_float_digits = 0",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}


class Connections:
    """A few connections to one database, opened when they are needed.

    A page of rows is read at a time; in between no connection is held.
    """

    def __init__(self, url: str, *, pool_size: int) -> None:
        parsed = _parsed(url)
        self.name = _name(parsed)
        self.dialect = parsed.get_backend_name()
        self._engine = _engine(parsed, pool_size)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.dialect == "sqlite"

    def quoted(self, *names: str) -> str:
        """Identifiers, quoted, with commas between them, as they stand in a text of SQL."""
        mark = "`" if self.dialect in _MYSQL else '"'
        doubled = (f"{mark}{name.replace(mark, 2 * mark)}{mark}" for name in names)
        # A colon would begin a parameter.
        return ", ".join(doubled).replace(":", r"\:")

    def rows(self, sql: str, budget: Budget, **values: Any) -> Sequence[Row]:
        """All rows of a SELECT; the values of a parameter that is a list stand in parentheses."""
        return self._read(_statement(sql, values), values, budget)

    def table_names(self, prefix: str, budget: Budget) -> set[str]:
        """The tables of the database, or of the schemas that are searched, beginning with that."""
        if self.is_sqlite:
            sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        elif self.dialect == "postgresql":
            sql = "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relkind <> 'i'"
        else:
            sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
        names = {str(name) for (name,) in self.rows(sql, budget)}
        return {name for name in names if name.startswith(prefix)}

    def _read(self, sql: TextClause, values: Mapping[str, Any], budget: Budget) -> Sequence[Row]:
        try:
            with budget.spending() as left, self._engine.connect() as connection:
                return _all(connection, sql, values, left)
        except MeasurementError:
            raise
        except (SQLAlchemyError, OSError, RuntimeError) as error:
            # Without the cause, which may tell a part of the URL.
            raise trouble(error, self.name, budget) from None

    def close(self) -> None:
        """Close all idle connections."""
        self._engine.dispose()


def _all(
    connection: Connection, sql: TextClause, values: Mapping[str, Any], seconds: float
) -> Sequence[Row]:
    with limited(connection, seconds):
        return connection.execute(sql, dict(values)).fetchall()


def _statement(sql: str, values: Mapping[str, Any]) -> TextClause:
    lists = [name for name, value in values.items() if isinstance(value, list)]
    return text(sql).bindparams(*(bindparam(name, expanding=True) for name in lists))


def _parsed(url: str) -> URL:
    try:
        parsed = with_driver(url)
    except ValueError as missing:
        raise ConfigError(
            f"the URL names no database that can be read{missing}; {_EXPECTED}"
        ) from None
    backend = parsed.get_backend_name()
    if backend in _MYSQL:
        driver = parsed.drivername.partition("+")[2]
        known = driver == "pymysql" and bool(parsed.database)
    elif backend == "postgresql":
        known = parsed.get_driver_name() == "psycopg" and bool(parsed.database)
    else:
        known = backend == "sqlite" and parsed.database not in (None, "", ":memory:")
    if not known:
        raise ConfigError(
            f"{parsed.drivername!r} names no database that measurements are read from; {_EXPECTED}"
        )
    return parsed


def _name(url: URL) -> str:
    """As upstream names what it reads, or the URL without what is nobody's business."""
    if url.get_backend_name() in _MYSQL:
        return f"DBI:mysql:{url.database}:{url.host or 'localhost'}"
    plain = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return plain.render_as_string()


def _engine(url: URL, pool_size: int) -> Engine:
    options: dict[str, Any] = {
        "isolation_level": "AUTOCOMMIT",
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": _CONNECT,
        "pool_pre_ping": True,
        "pool_use_lifo": True,
    }
    backend = url.get_backend_name()
    if backend == "sqlite":
        place = quote(str(Path(str(url.database)).absolute()))
        engine = create_engine(f"sqlite+pysqlite:///file:{place}?mode=ro&uri=true", **options)
    else:
        times = {"connect_timeout": _CONNECT}
        times = {name: value for name, value in times.items() if name not in url.query}
        if backend in _MYSQL:
            times["read_timeout"] = _CONNECT
        engine = create_engine(url, connect_args=times, **options)
    _set_up(engine, backend)
    return engine


class _NumberLoader(psycopg.adapt.Loader):
    """Takes NUMERIC as a whole number where it is one: a server without unsigned numbers keeps
    64 bits in it."""

    def load(self, data: Any) -> int | float:
        """The number of a text."""
        shown = bytes(data)
        return int(shown) if shown.isdigit() else float(shown)


def _set_up(engine: Engine, backend: str) -> None:
    if backend == "postgresql":

        @event.listens_for(engine, "do_connect")
        def connect(_dialect: Any, _entry: Any, given: Any, named: Any) -> TimedConnection:
            connection = TimedConnection.connect(*given, **named)
            connection.limit = float(_CONNECT)
            return connection

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        if backend == "postgresql":
            connection.autocommit = True
            connection.adapters.register_loader("numeric", _NumberLoader)
        cursor = connection.cursor()
        cursor.execute(_AT_FIRST[backend])
        cursor.close()
