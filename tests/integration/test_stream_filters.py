"""Filters choose the same rows on each database, whatever is in the rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import Recorder, as_it_is

place = streams_kit.place

KEYS = ["index", "group", "Order", "ok", "data", "day", "at", "ratio"]
TYPES = ["INTEGER", "VARCHAR(20)", "TEXT", "BOOLEAN", "BLOB", "DATE", "TIMESTAMP", "REAL"]
ROWS: list[tuple[Any, ...]] = [
    (1, "alpha", "100%", True, b"\0\1", "2026-01-01", "2026-01-01T00:00:00Z", 0.5),
    (2, "Beta", "a_b", False, b"", "2026-02-01", "2026-01-01T12:00:00+02:00", -1e300),
    (3, "ALPHA", "a\\b", None, None, None, None, None),
    (4, "é", "É/x", True, b"x", "2025-12-31", "2027-01-01T00:00:00Z", float("inf")),
    (2**63 - 1, "", "'; DROP TABLE t; --", False, None, None, None, 3),
    (-(2**63), None, None, None, None, None, None, float("nan")),
]
#: What is asked, and which rows it chooses, by their index.
BIG, SMALL = 2**63 - 1, -(2**63)
FILTERS: list[tuple[str, Any, list[int]]] = [
    ("index > 2", (), [3, 4, BIG]),
    ("index = -9223372036854775808", (), [SMALL]),
    ("index > 1.5 and index < 1e3", (), [2, 3, 4]),
    ("\"group\" = 'alpha'", (), [1]),
    ("lower(\"group\") = 'alpha'", (), [1, 3]),
    ("\"group\" like 'alp%'", (), [1, 3]),
    ("\"group\" like 'É'", (), []),
    ("\"group\" > 'A' and \"group\" < 'a'", (), [2, 3]),
    ('"group" is null or "group" = \'\'', (), [BIG, SMALL]),
    ("not \"group\" = 'alpha'", (), [2, 3, 4, BIG]),
    ("coalesce(\"group\", '-') = '-'", (), [SMALL]),
    ('length("group") = 1', (), [4]),
    ("trim(\"order\") like '%\\%'", (), [3]),
    ("\"order\" like '%_b'", (), [2, 3]),
    ("\"order\" like 'a!_b' escape '!'", (), [2]),
    ("\"order\" like '100!%' escape '!'", (), [1]),
    ("\"order\" like '%/%'", (), [4]),
    ("\"order\" not like '%a%'", (), [1, 4]),
    ('"order" = ?', ["'; DROP TABLE t; --"], [BIG]),
    ("ok", (), [1, 4]),
    ("not ok", (), [2, BIG]),
    ("ok is null", (), [3, SMALL]),
    ("ok is not true", (), [2, 3, BIG, SMALL]),
    ("ok = 0", (), [2, BIG]),
    ("data = :data", {"data": b"\0\1"}, [1]),
    ("length(data) = 0", (), [2]),
    ("day < '2026-01-15'", (), [1, 4]),
    ("at between '2026-01-01T10:00:00' and '2026-01-01T10:00:01'", (), [2]),
    ("ratio > 0", (), [1, 4, BIG]),
    ("ratio is null", (), [3, SMALL]),
    ("index in (1, 4) or ok = false", (), [1, 2, 4, BIG]),
    ("index not in (1, 2) and index between 0 and 10", (), [3, 4]),
    ("time > 3.5", (), [4, BIG, SMALL]),
]


@pytest.fixture(scope="module", params=streams_kit.PLACES)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqliteDataStreamer]:
    folder = tmp_path_factory.mktemp("filters")
    with (
        streams_kit.place_of(request.param, folder) as found,
        SqliteDataStreamer(found) as streamer,
    ):
        streamer.add_storage("select", KEYS, TYPES)
        for number, row in enumerate(ROWS, 1):
            streamer.store_data("select", number, *row)
        yield streamer


@pytest.mark.parametrize(("text", "parameters", "chosen"), FILTERS, ids=[f[0] for f in FILTERS])
def test_a_filter_chooses_the_same_everywhere(
    filled: SqliteDataStreamer, text: str, parameters: Any, chosen: list[int]
) -> None:
    messenger = Recorder()
    filled.stream(
        "select", None, None, None, 1, as_it_is, text, parameters=parameters, start="oldest"
    )
    filled.do_updates(1, messenger)
    filled.stop_stream("select")
    assert [row[1] for row in messenger.rows()] == chosen


def test_an_instant_as_parameter_is_compared_with_instants(filled: SqliteDataStreamer) -> None:
    messenger = Recorder()
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    for text, value in (("at = ?", noon), ("day = ?", date(2026, 2, 1))):
        filled.stream(
            "select", None, None, None, 1, as_it_is, text, parameters=[value], start="oldest"
        )
        filled.do_updates(1, messenger)
        filled.stop_stream("select")
    assert [row[1] for row in messenger.rows()] == [2, 2]


def test_rows_that_are_filtered_out_are_looked_at_once(place: str) -> None:
    messenger = Recorder()
    with streams_kit.logging_to(place) as streamer:
        streams_kit.begin(streamer, sqlfilter="level > 20", name="loud")
        streams_kit.store(streamer, *"abc")
        streamer.do_updates(100, messenger)
        assert [status.waiting for status in streamer.status()] == [0]
        # What the stream is done with is done with, whatever it is asked for later.
        streams_kit.begin(streamer, name="loud")
        streams_kit.store(streamer, "d")
        streamer.do_updates(200, messenger)
    assert messenger.last() == ["d"]
