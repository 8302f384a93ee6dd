"""Documents of an archive by time and page; what that costs grows with the answer alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aggregator.store import archive_selecting
from aggregator.store.archive_packing import deflate
from aggregator.store.archive_reading import Wanted
from aggregator.store.archive_tables import DAY
from aggregator.store.content import pack
from aggregator.store.engine import Store
from aggregator.store.statement import Statement
from tests import stores
from tests.integration.archive_kit import arrival, at, keep, page, pages, told
from tests.stores import SECOND

store = stores.store
MINUTE = 60 * SECOND


def wanted(since: float, until: float, **which: str) -> Wanted:
    return Wanted(at(since), at(until), **which)


@pytest.fixture
def filled(store: Store) -> Store:
    """Two members: one changes at 10, 20, ... 90, the other says the same from 5 to 95."""
    for second in range(5, 100, 5):
        if second % 10 == 0:
            keep(store, arrival(f"c{second}", at(second), key="k1", member="http://m1/s"))
        else:
            keep(store, arrival("same", at(second), key="k2", member="http://m2/s"))
    return store


@pytest.mark.parametrize(
    ("since", "until", "texts"),
    [
        (30, 50, ["same", "c30", "c40", "c50"]),
        (31, 39, ["same"]),
        (30, 30, ["same", "c30"]),
        (96, 200, []),
        (-100, 4, []),
        (-100, 5, ["same"]),
        (95, 1000, ["same"]),
        (90.000001, 91, ["same"]),
    ],
)
def test_a_time_has_what_came_in_it(
    filled: Store, since: float, until: float, texts: list[str]
) -> None:
    found = told(pages(filled, wanted(since, until)))
    assert [text for text, *_ in found] == texts
    assert all(first <= until and last >= since for _, first, last, _ in found)


def test_a_span_that_reaches_into_the_time_is_whole(filled: Store) -> None:
    assert told(pages(filled, wanted(50, 60, address="http://m2/s"))) == [("same", 5, 95, 10)]


@pytest.mark.parametrize("limits", [{"most": 1}, {"most": 3}, {"budget": 1}, {"budget": 30}])
@pytest.mark.parametrize("which", [{}, {"address": "http://m1/s"}])
def test_pages_have_each_document_once_in_order(
    filled: Store, limits: dict[str, int], which: dict[str, str]
) -> None:
    asked = wanted(25, 1000, **which)
    whole = pages(filled, asked)
    assert len(whole) == (7 if which else 8)
    assert pages(filled, asked, **limits) == whole
    assert [one.place for one in whole] == sorted(one.place for one in whole)


def test_what_reaches_into_the_time_comes_first_by_pages_too(store: Store) -> None:
    """Of many entries, each of which has one such document, and some that begin later."""
    for number in range(20):
        keep(store, arrival(f"a{number}", at(20 - number), key=f"k{number}"))
        keep(store, arrival(f"a{number}", at(40), key=f"k{number}"))
        keep(store, arrival(f"b{number}", at(50 + number), key=f"k{number}"))
    for which in ({}, {"address": "http://m1/s"}):
        asked = wanted(30, 55, **which)
        whole = [text for text, *_ in told(pages(store, asked))]
        assert whole == [f"a{n}" for n in range(20)] + [f"b{n}" for n in range(6)]
        for limits in ({"most": 1}, {"most": 7}, {"budget": 25}):
            assert [text for text, *_ in told(pages(store, asked, **limits))] == whole


def test_a_page_is_no_larger_than_it_may_be_but_has_one_document(store: Store) -> None:
    keep(store, *(arrival("x" * 1000 + str(number), at(number)) for number in range(9)))
    for which in ({}, {"address": "http://m1/s"}):
        asked = Wanted(0, 2**62, **which)
        assert len(page(store, asked, budget=3100).spans) == 3
        assert len(page(store, asked, budget=1).spans) == 1
        assert len(page(store, asked, most=2, budget=3100).spans) == 2


def test_an_entry_that_was_registered_again_and_again_is_one_member(store: Store) -> None:
    for number in range(30):
        keep(store, arrival(str(number), at(number), key=f"k{number}"))
    for limits in ({"most": 4}, {"budget": 20}, {"budget": 1000}):
        found = told(pages(store, Wanted(0, 2**62, address="http://m1/s"), **limits))
        assert [text for text, *_ in found] == [str(number) for number in range(30)]


def test_entries_of_one_member_at_the_same_time_are_in_order(store: Store) -> None:
    for number in range(40):
        large = "x" * (200 if number % 3 else 1)
        keep(store, arrival(f"{large}{number}", at(number), key=f"k{number % 3}"))
    whole = pages(store, Wanted(0, 2**62, address="http://m1/s"))
    assert len(whole) == 40
    assert [one.place for one in whole] == sorted(one.place for one in whole)
    for limits in ({"most": 3}, {"budget": 500}, {"most": 7, "budget": 900}):
        assert pages(store, Wanted(0, 2**62, address="http://m1/s"), **limits) == whole


# What a day of one member costs.

_MEMBERS, _A_DAY = 10, 100


def fill(store: Store, deliveries: int) -> None:
    """So many documents, `_A_DAY` of each member a day, up to the end of the day that is asked."""
    days = deliveries // (_MEMBERS * _A_DAY)
    streams, spans = [], []
    for stream in range(1, _MEMBERS + 1):
        born = at(0) - (days - 1) * DAY
        streams.append(
            (stream, 1, f"k{stream}", f"http://m{stream}/s", "", b"", born, at(0) + DAY - 1,
             at(0) + DAY - 1, 1, "x", 0, 30)
        )  # fmt: skip
        for number in range(days * _A_DAY):
            packed = pack((b"<v>%d</v>" % number,))
            first = born + number * (DAY // _A_DAY) + stream
            content = deflate(packed, b"")
            spans.append((stream, first, 1, first, 1, 0, len(packed), len(content), content))
    _insert(store, "archive_streams", streams)
    _insert(store, "archive_spans", spans)


def _insert(store: Store, table: str, rows: list[tuple[Any, ...]]) -> None:
    with store.database.writing.connect() as connection:
        cursor = connection.connection.cursor()
        if store.is_sqlite:
            marks = ", ".join("?" * len(rows[0]))
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            cursor.execute("COMMIT")
            return
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"ANALYZE {table}")


def visited(store: Store, statement: Statement, values: dict[str, int]) -> int:
    """How much a statement looks at: instructions of SQLite, or pages of PostgreSQL."""
    if store.is_sqlite:
        return _instructions(store, statement, values)
    text, _, literals = statement._text(store.database.reading.connect())
    with store.read() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", {**literals, **values})
        [(told,)] = cursor.fetchall()
    plan = (told if isinstance(told, list) else json.loads(told))[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _instructions(store: Store, statement: Statement, values: dict[str, int]) -> int:
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    with store.read() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(tick, 1)
        try:
            statement.rows(connection, **values)
        finally:
            driver.set_progress_handler(None, 0)
    return count


def costs(store: Store) -> Iterator[int]:
    """What the statements of a query of one member, and of all, cost for a day."""
    values = {
        "of": 3, "since": at(0), "until": at(0) + DAY - 1, "day": at(0), "after_first": -1,
        "after_stream": 0, "begin": at(0), "budget": 2**20, "most": 1000, "group": 1,
    }  # fmt: skip
    for statement in (archive_selecting.WITHIN_STREAM, archive_selecting.WITHIN_SIZES):
        yield visited(store, statement, values)
    noon = {**values, "since": at(0) + DAY // 2}
    for statement in (archive_selecting.REACHING_STREAM, archive_selecting.REACHING_SIZES):
        yield visited(store, statement, noon)


def test_the_cost_of_a_day_grows_with_the_answer_alone(store: Store) -> None:
    """Ten times as much in the archive, and the same is looked at for the same answer."""
    fill(store, 10_000)
    day = wanted(0, DAY / SECOND - 1e-6, address="http://m3/s")
    assert len(pages(store, day)) == _A_DAY
    few = list(costs(store))
    with store.database.writing.connect() as connection:
        for table in ("archive_spans", "archive_streams"):
            # A deletion alone would leave PostgreSQL dead rows to look at.
            empty = "DELETE FROM" if store.is_sqlite else "TRUNCATE"
            connection.exec_driver_sql(f"{empty} {table}")
    fill(store, 100_000)
    assert len(pages(store, day)) == _A_DAY
    many = list(costs(store))
    assert min(many) > 0
    # Deeper trees, and no more; where there is little PostgreSQL looks at all of it, else at a page
    # for each row of the answer.
    answers = (_A_DAY, _A_DAY * _MEMBERS, 1, _MEMBERS)
    for before, after, answer in zip(few, many, answers, strict=True):
        assert after <= 1.5 * max(before, answer) + 20, (few, many)
