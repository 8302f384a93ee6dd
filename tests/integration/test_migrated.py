"""Schemas that tests use one after the other: each finds what a migration leaves, and no more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.migrated import Schemas
from tests.stores import added, opened, prepare

pytestmark = pytest.mark.postgresql


@pytest.fixture
def schemas() -> Iterator[Schemas]:
    with contextlib.closing(Schemas()) as made:
        yield made


def used(url: str, folder: Path) -> None:
    store = opened(url, folder)
    try:
        prepare(store)
        added(store)
    finally:
        store.close()


def executed(url: str, statement: str) -> list[tuple[object, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        ran = connection.execute(statement)
        return ran.fetchall() if ran.description else []


def content(url: str) -> dict[object, object]:
    """The rows of all tables, as text."""
    tables = executed(
        url, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
    )
    return {
        table: executed(url, f'SELECT json_agg(t)::text FROM "{table}" t') for (table,) in tables
    }


def test_what_a_test_left_is_gone_for_the_next(schemas: Schemas, tmp_path: Path) -> None:
    with schemas.one() as url:
        before = content(url)
        used(url, tmp_path)
        executed(url, "CREATE TABLE sink_x_a (id INTEGER)")
        executed(url, "UPDATE alembic_version SET version_num = '9999'")
        assert content(url) != before
    with schemas.one() as again:
        assert again == url
        assert content(again) == before
        # The numbers begin anew as well.
        used(again, tmp_path)


@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE entries ADD COLUMN further TEXT", "DROP TABLE entry_data"],
    ids=["column", "table"],
)
def test_one_that_was_altered_is_nobody_elses(schemas: Schemas, statement: str) -> None:
    with schemas.one() as url:
        executed(url, statement)
    with schemas.one() as other:
        assert other != url


def test_one_that_somebody_is_still_in_is_nobody_elses(schemas: Schemas) -> None:
    with schemas.one() as url:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        staying = psycopg.connect(plain)
    with staying, schemas.one() as other:
        assert other != url
