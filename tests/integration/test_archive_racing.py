"""Pages of an archive of which something is given up between two statements; how much is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aggregator.store import archive_reading
from aggregator.store.archive_reading import Wanted
from aggregator.store.archive_tables import DAY
from aggregator.store.engine import Store
from aggregator.store.statement import Row, Statement
from aggregator.store.write import Write
from tests import stores
from tests.integration.archive_kit import END, arrival, at, keep, page, pages, told
from tests.stores import SECOND

store = stores.store
A_DAY = DAY // SECOND
WHICH = ({}, {"address": "http://m1/s"}, {"entry_key": "k1"})


def gives_up(store: Store, condition: str) -> Callable[[], None]:
    """What drops streams altogether, once: their documents and bases with them."""
    which = f"(SELECT id FROM archive_streams WHERE {condition})"
    left = [
        f"DELETE FROM archive_spans WHERE stream_id IN {which}",
        f"DELETE FROM archive_bases WHERE stream_id IN {which}",
    ]

    def unit(write: Write) -> None:
        write.wrote = True
        while left:
            write.connection.exec_driver_sql(left.pop(0))

    return lambda: store.writer.run(unit)


def before_bases(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Have something happen after documents were read and before their bases are."""
    real = archive_reading.known_bases

    def late(*given: Any) -> dict[int, bytes]:
        happens()
        return real(*given)

    monkeypatch.setattr(archive_reading, "known_bases", late)


def texts(store: Store, wanted: Wanted, **limits: int) -> list[str]:
    return [text for text, *_ in told(pages(store, wanted, **limits))]


@pytest.mark.parametrize("which", WHICH[:2])
def test_what_lost_its_base_meanwhile_is_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch, which: dict[str, str]
) -> None:
    for number in range(6):
        keep(store, arrival(str(number), at(number), key=f"k{number}"))
    before_bases(monkeypatch, gives_up(store, "entry_key IN ('k1', 'k2')"))
    assert texts(store, Wanted(0, END, **which), most=2) == ["0", "3", "4", "5"]


@pytest.mark.parametrize("which", WHICH[:2])
def test_a_page_of_which_nothing_is_left_is_no_end(
    store: Store, monkeypatch: pytest.MonkeyPatch, which: dict[str, str]
) -> None:
    for number in range(6):
        keep(store, arrival(str(number), at(number), key=f"k{number}"))
    before_bases(monkeypatch, gives_up(store, "entry_key < 'k4'"))
    found = page(store, Wanted(0, END, **which), most=2)
    assert [text for text, *_ in told(found.spans)] == ["4", "5"]
    assert texts(store, Wanted(0, END, **which), most=2) == ["4", "5"]


@pytest.mark.parametrize("which", WHICH)
def test_an_archive_of_which_nothing_is_left_ends(
    store: Store, monkeypatch: pytest.MonkeyPatch, which: dict[str, str]
) -> None:
    keep(store, *(arrival(str(number), at(number), key="k1") for number in range(4)))
    keep(store, arrival("other", at(9), key="k2"))
    before_bases(monkeypatch, gives_up(store, "1 = 1"))
    found = page(store, Wanted(0, END, **which), most=2)
    assert (found.spans, found.more) == ([], False)


class Watched:
    """A statement whose rows are counted, or before which something happens."""

    def __init__(self, statement: Statement, happens: Callable[[], None] = lambda: None) -> None:
        self.found: list[Row] = []
        self._statement = statement
        self._happens = happens

    def rows(self, *given: Any, **values: Any) -> list[Row]:
        self._happens()
        rows = self._statement.rows(*given, **values)
        self.found += rows
        return rows


def test_what_is_given_up_after_its_size_was_read_is_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        keep(store, arrival(str(number), at(number), key=f"k{number % 2}"))
    drop = f"DELETE FROM archive_spans WHERE first < {at(4)}"

    def unit(write: Write) -> None:
        write.wrote = True
        write.connection.exec_driver_sql(drop)

    late: Any = Watched(archive_reading.WITHIN_STREAM, lambda: store.writer.run(unit))
    monkeypatch.setattr(archive_reading, "WITHIN_STREAM", late)
    assert texts(store, Wanted(0, END, address="http://m1/s"), most=3) == ["4", "5", "6", "7"]


def test_of_a_member_of_many_entries_no_more_is_read_than_a_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        for turn in (0, A_DAY):
            # One that lasts into the time, and one that begins in it.
            keep(store, arrival("x" * 1000 + str(number), at(turn + number), key=f"k{number}"))
        keep(store, arrival("x" * 1000 + str(number), at(A_DAY + 100), key=f"k{number}"))
        keep(store, arrival("y" * 1000 + str(number), at(A_DAY + 200), key=f"k{number}"))
    watched = []
    for name in ("REACHING_STREAM", "WITHIN_STREAM"):
        one: Any = Watched(getattr(archive_reading, name))
        watched.append(one)
        monkeypatch.setattr(archive_reading, name, one)
    wanted = Wanted(at(A_DAY + 50), END, address="http://m1/s")
    found = page(store, wanted, budget=5000)
    assert (len(found.spans), found.more) == (4, True)
    assert sum(len(one.found) for one in watched) == 4
    whole = texts(store, wanted, budget=5000)
    assert whole == [f"{letter * 1000}{number}" for letter in "xy" for number in range(30)]
    assert sum(len(one.found) for one in watched) == 4 + 60
