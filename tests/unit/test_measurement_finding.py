"""Tests of all databases: one that is away keeps what it had, and stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.errors import MeasurementsUnavailable, NothingMeasured
from aggregator.measurement import perfSONARBUOY
from aggregator.measurement.building import build
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.finding import FoundTests
from aggregator.store.measured_values import MeasuredTest
from tests.measured import DELAY, TCP, UDP, Measured


class Away(Measured):
    """A database that may be away."""

    error: Exception | None = None

    def tests(self) -> list[MeasuredTest]:  # type: ignore[override]
        if self.error is not None:
            raise self.error
        return list(self.known)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store.xml")


def test_each_database_tells_its_own(store: FileStore) -> None:
    databases = {"DBI:mysql:a:localhost": Measured(known=[UDP]), "b": Measured(known=[DELAY])}
    found = FoundTests(databases, store)
    assert list(found()) == [(UDP, "mysql", "DBI:mysql:a:localhost"), (DELAY, "sql", "b")]
    assert found.away == set()


def test_one_that_is_away_keeps_what_it_had(store: FileStore) -> None:
    away, other = Away(known=[UDP]), Measured(known=[DELAY])
    found = FoundTests({"a": away, "b": other}, store)
    before = list(found())
    away.error = MeasurementsUnavailable("gone")
    other.known = [DELAY, TCP]
    assert list(found()) == [*before, (TCP, "sql", "b")]
    assert found.away == {"a"}
    away.error, away.known = None, [TCP]
    assert list(found()) == [(TCP, "sql", "a"), (DELAY, "sql", "b"), (TCP, "sql", "b")]
    assert found.away == set()


def test_one_that_was_away_from_the_start_keeps_what_is_stored(store: FileStore) -> None:
    away, other = Away(known=[UDP, DELAY]), Measured(known=[TCP])
    databases = {"a": away, "b": other}
    archive = perfSONARBUOY(store, {}, tests=FoundTests(databases, store))
    archive.createStorage()
    away.error = MeasurementsUnavailable("gone")
    anew = perfSONARBUOY(store, {}, tests=FoundTests(databases, store))
    # All of it is as it was, a schedule that is an element too.
    assert anew.createStorage() is False


def test_one_that_is_empty_has_no_tests(store: FileStore) -> None:
    empty = Away(known=[UDP])
    empty.error = NothingMeasured("No data in database")
    found = FoundTests({"a": empty}, store)
    assert list(found()) == []
    assert found.away == set()


def test_a_build_of_nothing_is_a_store_all_the_same(store: FileStore) -> None:
    assert store.replace(build([])) is True
    with store.opened() as opened:
        assert opened.all() == []


def test_one_with_what_nobody_expects_stops_no_other(store: FileStore) -> None:
    odd, other = Away(known=[UDP]), Measured(known=[DELAY])
    found = FoundTests({"a": odd, "b": other}, store)
    before = list(found())
    odd.error = ValueError("a text in a column of numbers")
    assert list(found()) == before
    assert found.away == {"a"}


@pytest.mark.parametrize("address", ["192.0.2.1\x01", "\0", "\ufffe", "\ud800"])
def test_a_test_that_no_document_can_tell_of_is_left_out(address: str, store: FileStore) -> None:
    odd = UDP._replace(source=address)
    found = FoundTests({"a": Measured(known=[odd, DELAY])}, store)
    archive = perfSONARBUOY(store, {}, tests=found)
    archive.createStorage()
    with store.opened() as opened:
        assert [one.id for one in opened.all()] == ["metadata-0", "metadata-1"]
    assert found.away == set()
