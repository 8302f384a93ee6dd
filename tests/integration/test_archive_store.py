"""What an archive keeps of deliveries, on both databases."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aggregator.store.archive_packing import Bases
from aggregator.store.archive_reading import Wanted
from aggregator.store.archive_tables import DAY
from aggregator.store.archive_writing import archive
from aggregator.store.engine import Store
from aggregator.store.write import Write
from tests import stores
from tests.integration.archive_kit import arrival, at, keep, page, pages, told
from tests.stores import SECOND

store = stores.store


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def test_every_delivery_is_kept_with_its_time_and_an_unchanged_one_once_with_its_span(
    store: Store,
) -> None:
    came = [("a", 10), ("a", 20), ("a", 30), ("b", 40), ("a", 50), ("a", 60)]
    assert keep(store, *(arrival(text, at(second)) for text, second in came)) == 6
    assert told(pages(store)) == [("a", 10, 30, 3), ("b", 40, 40, 1), ("a", 50, 60, 2)]


def test_what_came_is_found_byte_for_byte(store: Store) -> None:
    chance = random.Random(4)
    large = b"<l>" + chance.randbytes(100_000).hex().encode() + b"</l>"
    contents: list[tuple[bytes, ...]] = [
        (b'<a xmlns="urn:x" xmlns:p="urn:y" q="p:z">\xc3\xa9</a>', b"<b/>"),
        (),
        (large,),
        (large, b"<end/>"),
        (b"<a/>",) * 1000,
    ]
    keep(
        store,
        *(arrival("", at(number), children=one) for number, one in enumerate(contents)),
    )
    assert [one.children for one in pages(store, budget=10**9)] == contents


def test_documents_that_are_alike_take_little(store: Store) -> None:
    head = "".join(f"<host name='node{number}.example.org' free=" for number in range(100))
    keep(store, *(arrival(f"{head}{number}", at(number)) for number in range(50)))
    [(size, stored)] = rows(store, "SELECT sum(size), sum(stored) FROM archive_spans")
    assert int(size) > 50 * 3500
    # By themselves they would take about a tenth of their size.
    assert int(stored) < int(size) / 60


def test_one_that_comes_again_changes_nothing(store: Store) -> None:
    gap = 60 * SECOND
    first = arrival("a", at(10), load=1.0, gap=gap)
    assert keep(store, first, first, arrival("b", at(20), gap=gap), first) == 2
    assert told(pages(store)) == [("a", 10, 10, 1), ("b", 20, 20, 1)]
    assert rows(store, "SELECT count(*) FROM archive_points") == [(1,)]


def test_what_is_pushed_counts_each_time_whatever_the_clock(store: Store) -> None:
    """Two collectors' clocks may differ by a little; no message is lost for that."""
    keep(store, arrival("a", at(10)), arrival("b", at(9)), arrival("b", at(9)))
    found = told(pages(store))
    assert [(text, deliveries) for text, _, _, deliveries in found] == [("a", 1), ("b", 2)]
    polled = arrival("old", at(5), gap=SECOND)
    assert keep(store, polled) == 0


def test_a_span_ends_where_nothing_came_for_too_long(store: Store) -> None:
    """It says that the document was there, which nobody knows of a time without collections."""
    gap = 30 * SECOND
    came = [10, 20, 50, 81, 82]
    keep(store, *(arrival("a", at(second), gap=gap) for second in came))
    assert told(pages(store)) == [("a", 10, 50, 3), ("a", 81, 82, 2)]


def test_a_span_ends_with_its_day(store: Store) -> None:
    day = DAY // SECOND
    keep(store, *(arrival("a", at(second)) for second in (day - 2, day - 1, day, day + 1)))
    assert told(pages(store)) == [("a", day - 2, day - 1, 2), ("a", day, day + 1, 2)]


def test_members_are_told_apart_and_so_are_their_entries(store: Store) -> None:
    keep(
        store,
        arrival("1", at(1), key="k1", member="http://m1/s"),
        arrival("2", at(2), key="k2", member="http://m2/s"),
        # The first one registered again, and another resource at its address.
        arrival("3", at(3), key="k3", member="http://m1/s"),
        arrival("4", at(4), key="k4", member="http://m1/s", reference="r"),
    )
    everything = page(store).spans
    assert [one.entry_key for one in everything] == ["k1", "k2", "k3", "k4"]
    of = partial(_of, store)
    assert of(address="http://m1/s") == ["1", "3", "4"]
    assert of(address="http://m1/s", reference="r") == ["4"]
    assert of(entry_key="k2") == ["2"]
    assert of(address="http://m1/s", entry_key="k2") == []
    assert of(address="http://m9/s") == []


def _of(store: Store, **which: str) -> list[str]:
    return [text for text, *_ in told(pages(store, Wanted(0, 2**62, **which)))]


def test_groups_are_told_apart(store: Store) -> None:
    keep(store, arrival("a", at(1)), group="A")
    keep(store, arrival("b", at(1)), group="B")
    assert told(page(store, group_id=1).spans) == [("a", 1, 1, 1)]
    assert told(page(store, group_id=2).spans) == [("b", 1, 1, 1)]


def test_a_transaction_that_is_undone_leaves_no_trace(store: Store) -> None:
    """Not even in what is remembered of it: the next one may get the same numbers."""
    bases = Bases()

    def fails(write: Write) -> None:
        archive(write, "A", [arrival("x" * 500, at(1))], bases)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        store.writer.run(fails)
    assert rows(store, "SELECT count(*) FROM archive_streams") == [(0,)]
    keep(store, arrival("y" * 500, at(2)), arrival("y" * 501, at(3)), bases=bases)
    assert [text for text, *_ in told(pages(store))] == ["y" * 500, "y" * 501]


def test_two_collectors_keep_each_once(store: Store, tmp_path: Path) -> None:
    """One takes over from another that has not ended yet: what both bring is there once."""
    url = store.database.reading.url.render_as_string(hide_password=False)
    if store.is_sqlite:
        url = f"sqlite:///{store.database.path}"  # type: ignore[attr-defined]
    other = stores.opened(url, tmp_path)
    try:
        batches = [
            [arrival(f"{turn}", at(turn), key=f"k{entry}", gap=SECOND * 9, x=1.0) for entry in "ab"]
            for turn in range(15)
        ]
        under_way = [
            one.writer.submit(partial(archive, group="A", arrivals=batch, bases=Bases()))
            for batch in batches
            for one in (store, other)
        ]
        assert sum(one.result(30) for one in under_way) == 30
    finally:
        other.close()
    found = told(pages(store))
    assert [text for text, *_ in found] == [str(turn) for turn in range(15) for _ in "ab"]
    assert rows(store, "SELECT sum(spans), sum(points) FROM archive_days") == [(30, 30)]


def test_a_document_that_changed_altogether_becomes_the_base_of_the_next_day(
    store: Store,
) -> None:
    chance = random.Random(5)
    other = chance.randbytes(2000).hex()
    day = DAY // SECOND
    bases = Bases()
    keep(store, arrival("short", at(1)), arrival(other, at(day)), bases=bases)
    keep(store, arrival(other + "1", at(day + 1)), bases=bases)
    found = rows(store, "SELECT replaced FROM archive_bases ORDER BY replaced IS NULL")
    assert found == [(at(day),), (None,)]
    [(stored,)] = rows(store, f"SELECT stored FROM archive_spans WHERE first = {at(day + 1)}")
    assert stored < 100
    assert [text for text, *_ in told(pages(store))] == ["short", other, other + "1"]


def test_each_day_is_counted(store: Store) -> None:
    day = DAY // SECOND
    keep(store, arrival("a", at(1), x=1.0, y=2.0), arrival("b", at(2), x=1.0))
    keep(store, arrival("b", at(day + 1)))
    counted = rows(store, "SELECT day, spans, points, stored > 0 FROM archive_days ORDER BY day")
    assert [(day, spans, points, bool(more)) for day, spans, points, more in counted] == [
        (at(0), 2, 3, True),
        (at(day), 1, 0, True),
    ]
