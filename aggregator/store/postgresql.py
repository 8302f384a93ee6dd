"""A PostgreSQL server, over connections that never wait for longer than they may."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from aggregator.store.filelock import LockWait

_T = TypeVar("_T")

# Any number will do that other programs of the same database hardly use.
_MIGRATION_LOCK = 0x6D64732D61676772

# Seconds after which an idle connection is tried before it is used.
_TRUSTED = 1.0

_SHOWN = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


class TimedConnection(psycopg.Connection[Any]):
    """A connection on which every answer of the server must come within `limit` seconds.

    The server's own time-outs are of no use when the way to the server swallows everything, and
    TCP's see nothing where a proxy acknowledges what it never delivers.
    """

    limit: float | None = None

    def wait(
        self, gen: Generator[Any, Any, _T], interval: float = 0.1, timeout: float | None = None
    ) -> _T:
        """Wait for the server's answer."""
        if self.limit is not None:
            gen = _limited(gen, self.limit)
        try:
            return super().wait(gen, interval)
        except _Silence as silence:
            self.close()
            raise psycopg.OperationalError(str(silence)) from None


class _Silence(Exception):
    pass


def _limited(gen: Generator[Any, Any, _T], seconds: float) -> Generator[Any, Any, _T]:
    """Do as `gen` does, but give up when nothing came or went for `seconds`."""
    deadline = monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                deadline = monotonic() + seconds
            elif monotonic() > deadline:
                raise _Silence(f"the database did not answer within {seconds:g} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


class PostgresqlDatabase:
    """One database; its server lets several hosts write at the same time."""

    is_sqlite = False
    begin = "BEGIN"

    def __init__(
        self, url: URL, *, pool_size: int, busy_timeout: float, write_timeout: float
    ) -> None:
        wait = min(busy_timeout, 0.8 * write_timeout)
        self.reading = _engine(
            url,
            wait,
            # A reader may have to find out that two connections are lost, one after the other.
            silence=0.5 * write_timeout,
            idle=write_timeout,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=busy_timeout,
            pool_use_lifo=True,
        )
        self.writing = _engine(
            url, wait, silence=0.9 * write_timeout, idle=write_timeout, poolclass=NullPool
        )
        self.lock_wait = LockWait()

    def turn(self) -> AbstractContextManager[None]:
        """Let pass: the server has row locks."""
        return nullcontext()

    def mark(self) -> int | None:
        """None: other hosts write too."""
        return None

    def is_in_transaction(self, connection: Connection) -> bool:
        """Always: to end one that is none is no error there."""
        return True

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        """A transaction in which no other process changes the tables."""
        raw: Any = connection.connection.dbapi_connection
        limit, raw.limit = raw.limit, None
        connection.exec_driver_sql("BEGIN; SET LOCAL statement_timeout = 0")
        try:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            yield
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        else:
            connection.exec_driver_sql("COMMIT")
        finally:
            raw.limit = limit

    def now(self, connection: Connection) -> tuple[int, int]:
        """What the server's clock shows, and how far it was set forward as far as is known."""
        try:
            asked = connection.exec_driver_sql(f"SELECT {_SHOWN}, (SELECT ahead FROM clock)").one()
        except exc.ProgrammingError:
            # The table is not there yet.
            return int(connection.exec_driver_sql(f"SELECT {_SHOWN}").scalar_one()), 0
        return int(asked[0]), int(asked[1] or 0)

    def close(self) -> None:
        """Close all idle connections."""
        self.reading.dispose()


def _engine(url: URL, wait: float, *, silence: float, idle: float, **options: Any) -> Engine:
    arguments: dict[str, Any] = {
        "connect_timeout": 3,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": int(idle * 1000),
        "application_name": "mds-aggregator",
    }
    # What the server does by itself, so that the locks of a host that is gone don't stay.
    limits = {
        "statement_timeout": f"{wait * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{idle * 1000:.0f}",
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "2",
    }
    for given in url.query:
        arguments.pop(given, None)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args=arguments, **options)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _entry: Any, given: Any, named: Any) -> TimedConnection:
        connection = TimedConnection.connect(*given, **named)
        connection.limit = silence
        return connection

    @event.listens_for(engine, "connect")
    def set_up(connection: TimedConnection, _: object) -> None:
        connection.autocommit = True
        for name, value in limits.items():
            connection.execute("SELECT set_config(%s, %s, false)", [name, value])

    @event.listens_for(engine, "checkin")
    def remember(_: object, entry: ConnectionPoolEntry) -> None:
        entry.info["idle since"] = monotonic()

    @event.listens_for(engine, "checkout")
    def try_out(connection: TimedConnection, entry: ConnectionPoolEntry, _: object) -> None:
        if monotonic() - entry.info.get("idle since", monotonic()) < _TRUSTED:
            return
        try:
            connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise exc.DisconnectionError("the idle connection was lost") from error

    return engine
