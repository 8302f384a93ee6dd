"""The databases that tests run on: a file of their own, and a schema of their own on a server."""

from __future__ import annotations

import getpass
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

VARIABLE = "AGGREGATOR_TEST_POSTGRESQL"
DEFAULT = "postgresql+psycopg://localhost/test"


#: The kinds of databases, as parameters of a fixture.
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """An empty database of a kind, gone at the end; `folder` takes what is a file."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'aggregator.sqlite'}"
        return
    with postgresql_schema() as url:
        yield url


@contextmanager
def write_locked(url: str, *, table: str = "groups") -> Iterator[None]:
    """A database of `database` in which nobody else can write as long as the block.

    On PostgreSQL only what writes to the `table`.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(address.database or "", isolation_level=None)) as held:
            held.execute("BEGIN IMMEDIATE")
            yield
        return
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as session:
        # Every change of entries is counted in the row of their group.
        session.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield
        session.rollback()


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """An empty PostgreSQL database, for what only a server can show."""
    with postgresql_schema() as url:
        yield url


@contextmanager
def postgresql_schema() -> Iterator[str]:
    """A schema of its own on the test server, gone at the end; skips where there is no server.

    Connections of the returned URL see nothing but this schema, so that tests may run at the same
    time on one database.
    """
    server = _server()
    if isinstance(server, str):
        if os.environ.get("CI") == "true":
            pytest.fail(server)
        pytest.skip(server)
    name = f"test_{uuid.uuid4().hex}"
    _execute(server, f"CREATE SCHEMA {name}")
    try:
        url = server.update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP SCHEMA {name} CASCADE")


@cache
def _server() -> URL | str:
    """The server to test on, or one line about why there is none."""
    given = os.environ.get(VARIABLE, "")
    url = make_url(given or DEFAULT)
    tried = [url]
    if not given:
        # At a desk the server may know only its own superuser, or listen on a socket alone.
        tried += [url.set(username="postgres"), url.set(host=None), url.set(host="127.0.0.1")]
    refused = ""
    for candidate in tried:
        try:
            _execute(candidate, "SELECT 1")
        except psycopg.Error as error:
            refused = refused or str(error).strip().split("\n", 1)[0]
        else:
            if candidate.username is None:
                return candidate.set(username=getpass.getuser())
            return candidate
    return f"no PostgreSQL server at {VARIABLE} ({url}): {refused}"


def _execute(url: URL, statement: str) -> None:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, connect_timeout=3) as connection:
        connection.execute(statement)
