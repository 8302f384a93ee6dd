"""Databases of perfSONAR to read from: laid out anew, on each kind of server, gone at the end."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from aggregator.store.measured_layouts import Layout
from aggregator.store.measured_opening import open_measured
from aggregator.store.measured_values import MeasuredDatabase, MeasuredTest, Within
from aggregator.wire.nmwg_times import UNIX_EPOCH
from tests.databases import postgresql_schema

VARIABLE = "AGGREGATOR_TEST_MARIADB"
DEFAULT = "mariadb+pymysql://root@127.0.0.1:3306/test"
KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql), "mariadb")

#: What MariaDB, PostgreSQL and SQLite call a kind of column.
TYPES: dict[str, tuple[str, str, str]] = {
    "id": ("INT UNSIGNED", "bigint", "INTEGER"),
    "instant": ("BIGINT UNSIGNED", "numeric(20)", "INTEGER"),
    "count": ("BIGINT UNSIGNED", "numeric(20)", "INTEGER"),
    "signed": ("INT", "integer", "INTEGER"),
    "small": ("TINYINT UNSIGNED", "smallint", "INTEGER"),
    "real": ("FLOAT", "real", "REAL"),
    "text": ("TEXT", "text", "TEXT"),
}
PATH = {"send_id": "id", "recv_id": "id", "tspec_id": "id"}
_NODES = {
    "node_id": "id", "node_name": "text", "longname": "text", "addr": "text", "first": "id",
    "last": "id",
}  # fmt: skip
#: Columns of the tables of a set, and the primary key.
TABLES: dict[str, dict[str, tuple[dict[str, str], str]]] = {
    "bwctl": {
        "TESTSPEC": (
            {
                "tspec_id": "id", "description": "text", "duration": "id", "len_buffer": "id",
                "window_size": "id", "tos": "small", "parallel_streams": "small", "udp": "small",
                "udp_bandwidth": "count",
            },
            "tspec_id",
        ),
        "NODES": (_NODES, "node_id"),
        "DATA": (
            {
                **PATH, "ti": "id", "timestamp": "instant", "throughput": "real",
                "jitter": "real", "lost": "count", "sent": "count",
            },
            "ti, send_id, recv_id",
        ),
    },
    "owamp": {
        "TESTSPEC": (
            {
                "tspec_id": "id", "description": "text", "num_session_packets": "count",
                "num_sample_packets": "count", "wait_interval": "real", "dscp": "small",
                "loss_timeout": "real", "packet_padding": "id", "bucket_width": "real",
            },
            "tspec_id",
        ),
        "NODES": ({**_NODES, "host": "text"}, "node_id"),
        "DATA": (
            {
                **PATH, "si": "id", "ei": "id", "stimestamp": "instant", "etimestamp": "instant",
                "start_time": "text", "end_time": "text", "min": "real", "max": "real",
                "minttl": "small", "maxttl": "small", "sent": "count", "lost": "count",
                "dups": "count", "maxerr": "real", "finished": "small",
            },
            "si, ei, send_id, recv_id, tspec_id",
        ),
        "DELAY": (
            {
                **PATH, "si": "id", "ei": "id", "bucket_width": "real", "basei": "signed",
                "i": "signed", "n": "count", "finished": "small",
            },
            "si, ei, send_id, recv_id, tspec_id, i",
        ),
    },
}  # fmt: skip
DATES = {"bwctl": ("year", "month"), "owamp": ("year", "month", "day")}
UDP = {"duration": 10, "len_buffer": 8192, "window_size": 1, "udp": 1, "udp_bandwidth": 900}
TCP = {"duration": 60, "window_size": 4, "udp": 0}
ONE_WAY = {
    "num_session_packets": 10800, "num_sample_packets": 600, "wait_interval": 0.1, "dscp": 0,
    "loss_timeout": 0, "packet_padding": 0, "bucket_width": 0.0001,
}  # fmt: skip


def ntp(unix: int, fraction: int = 0) -> int:
    """NTP's 64 bits of a second."""
    return (unix + UNIX_EPOCH) * 2**32 + fraction


class Laid:
    """A database of one layout."""

    def __init__(self, kind: str, url: str, layout: Layout) -> None:
        self.kind, self.url, self.layout = kind, url, layout
        self.engine: Engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        self._opened: list[MeasuredDatabase] = []
        self.quoted = self.engine.dialect.identifier_preparer.quote_identifier
        if layout in DATES:
            self.create("DATES", dict.fromkeys(DATES[layout], "id"), ", ".join(DATES[layout]))

    def execute(self, sql: str) -> None:
        """Run a statement."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(sql)

    def create(self, table: str, columns: Mapping[str, str], key: str) -> None:
        """Make a table, with indexes on ids as upstream has them."""
        at = ("mariadb", "postgresql", "sqlite").index(self.kind)
        defined = [f"{self.quoted(name)} {TYPES[kind][at]}" for name, kind in columns.items()]
        self.execute(
            f"CREATE TABLE {self.quoted(table)} ({', '.join(defined)}, PRIMARY KEY({key}))"
        )
        if table.endswith("_DATA"):
            for name in PATH:
                index = f"by_{name}_{table}"
                self.execute(f"CREATE INDEX {index} ON {self.quoted(table)} ({name})")

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; instants as the kind of database keeps them."""
        if not rows:
            return
        names = list(rows[0])
        into = self.quoted(table).replace(":", r"\:").replace("%%", "%")
        sql = (
            f"INSERT INTO {into} ({', '.join(map(self.quoted, names))})"
            f" VALUES ({', '.join(f':{name}' for name in names)})"
        )
        with self.engine.connect() as connection:
            connection.execute(text(sql), [self._kept(row) for row in rows])

    def _kept(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if self.kind != "sqlite":
            return dict(row)
        large = {name for name, value in row.items() if isinstance(value, int) and value >= 2**63}
        return {name: row[name] - 2**64 if name in large else row[name] for name in row}

    def add_set(
        self,
        prefix: str,
        *,
        nodes: Mapping[int, str],
        settings: Mapping[int, Mapping[str, Any]],
        **tables: Sequence[Mapping[str, Any]],
    ) -> None:
        """The tables of a month or day, and its line in DATES."""
        numbers = [
            int(prefix[at : at + width])
            for at, width in ((0, 4), (4, 2), (6, 2))[: len(DATES[self.layout])]
        ]
        self.insert("DATES", [dict(zip(DATES[self.layout], numbers, strict=True))])
        for name, (columns, key) in TABLES[self.layout].items():
            self.create(f"{prefix}_{name}", columns, key)
        self.insert(
            f"{prefix}_NODES",
            [
                {"node_id": number, "addr": addr, "first": 0, "last": 0}
                for number, addr in nodes.items()
            ],
        )
        for number, values in settings.items():
            self.insert(f"{prefix}_TESTSPEC", [{"tspec_id": number, **values}])
        for name, rows in tables.items():
            self.insert(f"{prefix}_{name}", rows)

    def opened(self, **options: Any) -> MeasuredDatabase:
        """It, as it is read."""
        found = open_measured(self.url, layout=self.layout, **options)
        self._opened.append(found)
        return found

    def close(self) -> None:
        """Close all that was opened."""
        for one in self._opened:
            one.close()


@contextmanager
def laid(kind: str, layout: Layout, folder: Path) -> Iterator[Laid]:
    """An empty database of a layout."""
    with database_of(kind, folder) as url:
        found = Laid(kind, url, layout)
        try:
            yield found
        finally:
            found.close()


def database_of(kind: str, folder: Path) -> AbstractContextManager[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        return nullcontext(f"sqlite:///{folder / 'measured.sqlite'}")
    return postgresql_schema() if kind == "postgresql" else mariadb()


@contextmanager
def mariadb() -> Iterator[str]:
    """An empty database of a server; skips where there is no server."""
    server = make_url(os.environ.get(VARIABLE, "") or DEFAULT)
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except OperationalError as error:
        pytest.skip(f"no MariaDB server at {VARIABLE} ({server}): {error.orig}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


def throughput_row(
    at: int, path: tuple[int, int, int] = (101, 102, 201), **more: Any
) -> dict[str, Any]:
    """A row of DATA of a month, measured at NTP's 64 bits."""
    send, recv, number = path
    row = {"send_id": send, "recv_id": recv, "tspec_id": number, "ti": at >> 32, "timestamp": at}
    return {**row, "throughput": 9.10234e08, "jitter": 0.002, "lost": None, "sent": 138890, **more}


def delay_row(
    begins: int, ends: int, path: tuple[int, int, int] = (301, 302, 401), **more: Any
) -> dict[str, Any]:
    """A row of DATA of a day."""
    row = dict(zip(PATH, path, strict=True))
    row |= {"si": begins >> 32, "ei": ends >> 32, "stimestamp": begins, "etimestamp": ends}
    row |= {"min": 0.0151153, "max": 0.015151, "minttl": 252, "maxttl": 252, "sent": 600}
    return {**row, "lost": 0, "dups": 0, "maxerr": 0.000340462, "finished": 1, **more}


def bucket_rows(
    sample: Mapping[str, Any], basei: int, counts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """The rows of DELAY of a sample."""
    of = {name: sample[name] for name in (*PATH, "si", "ei")}
    return [
        {**of, "bucket_width": 0.0001, "basei": basei, "i": i, "n": n, "finished": 1}
        for i, n in counts.items()
    ]


def times(
    database: MeasuredDatabase, test: MeasuredTest, within: Within | None = None
) -> list[int]:
    """When a test was measured, or its samples began."""
    asked = within or Within()
    if test.kind == "bwctl":
        return [row.timestamp for row in database.throughput(test, asked, timeout=20)]
    return [row.start for row in database.delays(test, asked, buckets=False, timeout=20)]
