"""Values of rows: what comes back is what was stored, plain, and the same on each database."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from aggregator.errors import StreamValueError
from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import Recorder, as_it_is


class Scalar:
    """A number as arrays of numpy hold it: it says so, and gives its value."""

    dtype, ndim = "int32", 0

    def __init__(self, value: object) -> None:
        self._value = value

    def item(self) -> object:
        return self._value


class Instant:
    """An instant or a span as numpy has it, whose value is a bare number where its unit is one that
    Python does not know, such as nanoseconds."""

    ndim = 0

    def __init__(self, kind: str, value: object, microseconds: object = None) -> None:
        self.dtype = SimpleNamespace(kind=kind)
        self._value, self._microseconds = value, microseconds

    def item(self) -> object:
        return self._value

    def astype(self, unit: str) -> Instant:
        assert unit == "datetime64[us]"
        return Instant(self.dtype.kind, self._microseconds)


class Colour(StrEnum):
    RED = "red"


KINDS = {
    "text": "VARCHAR",
    "short": "VARCHAR(3)",
    "whole": "INTEGER",
    "real": "DOUBLE PRECISION",
    "exact": "NUMERIC(10, 2)",
    "truth": "BOOLEAN",
    "blob": "BLOB",
    "day": "DATE",
    "hour": "TIME",
    "at": "DATETIME",
}
SUMMER = timezone(timedelta(hours=2))
#: What is stored in which column, and what comes back.
TAKEN: list[tuple[str, Any, Any]] = [
    *((column, None, None) for column in KINDS),
    ("text", "", ""),
    (
        "text",
        "ü 😀 \r\n\t\x01 'quoted' \"twice\" %s :x ?",
        "ü 😀 \r\n\t\x01 'quoted' \"twice\" %s :x ?",
    ),
    ("text", 7, "7"),
    ("text", Decimal("1.50"), "1.50"),
    ("text", Colour.RED, "red"),
    ("short", "äöü", "äöü"),
    ("whole", 2**63 - 1, 2**63 - 1),
    ("whole", -(2**63), -(2**63)),
    ("whole", True, 1),
    ("whole", "42", 42),
    ("whole", 3.0, 3),
    ("whole", Scalar(5), 5),
    ("real", 0.1, 0.1),
    ("real", 5, 5.0),
    ("real", math.inf, math.inf),
    ("real", math.nan, None),
    ("real", Scalar(0.5), 0.5),
    ("exact", Decimal("12.34"), 12.34),
    ("truth", True, True),
    ("truth", 0, False),
    ("truth", Scalar(True), True),
    ("blob", b"\0\xff", b"\0\xff"),
    ("blob", bytearray(b"a"), b"a"),
    ("blob", b"", b""),
    ("day", date(2026, 1, 31), "2026-01-31"),
    ("day", "2026-01-31", "2026-01-31"),
    ("hour", time(7, 5), "07:05:00.000000"),
    ("at", datetime(2026, 7, 1, 12, tzinfo=SUMMER), "2026-07-01T10:00:00.000000Z"),
    ("at", datetime(2026, 7, 1, 12), "2026-07-01T12:00:00.000000Z"),
    ("at", "2026-07-01T12:00:00.25Z", "2026-07-01T12:00:00.250000Z"),
    ("at", Instant("M", 10**18, datetime(2026, 7, 1, 12)), "2026-07-01T12:00:00.000000Z"),
    ("at", Instant("M", datetime(2026, 7, 1, 12)), "2026-07-01T12:00:00.000000Z"),
    ("day", Instant("M", date(2026, 7, 1)), "2026-07-01"),
    ("at", Instant("M", None), None),
]
REFUSED: list[tuple[str, Any, str]] = [
    ("text", b"x", "a text"),
    ("text", ["x"], "a text; make one of it"),
    ("text", "a\0b", "without the character NUL"),
    ("text", "\ud800", "all Unicode"),
    ("text", True, "a text"),
    ("text", 10**5000, "fewer digits"),
    ("short", "four", "3 characters or bytes at most; given were 4"),
    ("text", "x" * (2**20 + 1), "1048576 characters or bytes at most"),
    ("whole", 2**63, "a whole number of 64 bits"),
    ("whole", 1.5, "a whole number"),
    ("whole", "4x", "a whole number"),
    ("whole", math.nan, "a whole number"),
    ("whole", "9" * 5000, "a whole number"),
    ("whole", Decimal("1e999999999"), "a whole number"),
    ("whole", Decimal("NaN"), "a whole number"),
    ("whole", Decimal("sNaN"), "a whole number"),
    ("whole", Instant("M", 10**18, datetime(2026, 7, 1)), "a whole number"),
    ("whole", Instant("M", 10**18, 10**18), "a whole number"),
    ("whole", Instant("m", 10**9, timedelta(seconds=1)), "a whole number"),
    ("real", Instant("m", 10**9, timedelta(seconds=1)), "a number"),
    ("real", "fast", "a double can hold"),
    ("real", 10**400, "a double can hold"),
    ("real", True, "a number"),
    ("truth", "yes", "True or False"),
    ("truth", 2, "True or False"),
    ("blob", "text", "encode a text first"),
    ("day", datetime(2026, 1, 1), "a date"),
    ("day", "31.1.2026", "a date"),
    ("hour", time(7, tzinfo=UTC), "a time without zone"),
    ("at", 1700000000, "a datetime"),
    ("at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-2))), "the years 1 to 9999"),
]


@pytest.fixture(scope="module", params=streams_kit.PLACES)
def streamer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqliteDataStreamer]:
    folder = tmp_path_factory.mktemp("values")
    with (
        streams_kit.place_of(request.param, folder) as found,
        SqliteDataStreamer(found) as made,
    ):
        made.add_storage("values", list(KINDS), list(KINDS.values()))
        yield made


def stored(streamer: SqliteDataStreamer, column: str, value: object) -> None:
    row = [value if column == name else None for name in KINDS]
    streamer.store_data("values", 1.5, *row)


def test_what_is_stored_comes_back_plain(streamer: SqliteDataStreamer) -> None:
    for column, value, _ in TAKEN:
        stored(streamer, column, value)
    messenger = Recorder()
    streamer.stream("values", None, None, None, 1, as_it_is, start="oldest")
    streamer.do_updates(1, messenger)
    streamer.stop_stream("values")
    rows = messenger.rows()
    found = [
        row[1 + list(KINDS).index(column)] for row, (column, _, _) in zip(rows, TAKEN, strict=True)
    ]
    for value, (column, given, wanted) in zip(found, TAKEN, strict=True):
        assert (value, type(value)) == (wanted, type(wanted)), (column, given)
    plain = yaml.safe_load(yaml.safe_dump(rows))
    assert [row[0] for row in plain] == [1.5] * len(TAKEN)


@pytest.mark.parametrize(("column", "value", "complaint"), REFUSED, ids=range(len(REFUSED)))
def test_what_does_not_fit_is_refused_and_not_stored(
    streamer: SqliteDataStreamer, column: str, value: object, complaint: str
) -> None:
    before = last(streamer)
    with pytest.raises(StreamValueError, match=complaint) as raised:
        stored(streamer, column, value)
    assert f"values.{column}: " in str(raised.value)
    assert len(str(raised.value)) < 400
    assert last(streamer) == before + 1


def last(streamer: SqliteDataStreamer) -> int:
    """The number of a new row."""
    made = streamer.store_data("values", 1, *[None] * len(KINDS))
    return int(made.partition(".")[2])


@pytest.mark.parametrize(
    ("given", "stored_as"),
    [
        (0, 0.0),
        (-1.5, -1.5),
        (Scalar(2.5), 2.5),
        (Decimal("1.5"), 1.5),
        (datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC), 10.0),
        (Instant("M", 10 * 10**9, datetime(1970, 1, 1, 0, 0, 10)), 10.0),
    ],
)
def test_an_instant_is_a_number_of_seconds(given: Any, stored_as: float) -> None:
    messenger = Recorder()
    with SqliteDataStreamer(":memory:") as made:
        made.add_storage("k", [], [])
        made.store_data("k", given)
        made.stream("k", None, None, None, 1, as_it_is)
        made.do_updates(1, messenger)
    assert messenger.rows() == [[stored_as]]


@pytest.mark.parametrize("given", [None, "now", math.nan, math.inf, True, [1], Instant("m", 10)])
def test_what_is_no_instant_is_refused(given: Any) -> None:
    with SqliteDataStreamer(":memory:") as made:
        made.add_storage("k", [], [])
        with pytest.raises(StreamValueError, match="is no instant"):
            made.store_data("k", given)


def test_a_row_has_a_size_that_it_may_have() -> None:
    with SqliteDataStreamer(":memory:") as made:
        made.add_storage("k", [f"c{n}" for n in range(8)], ["TEXT"] * 8)
        with pytest.raises(StreamValueError, match="has 8000000 characters; 4194304 may be"):
            made.store_data("k", 1, *["x" * 1_000_000] * 8)
