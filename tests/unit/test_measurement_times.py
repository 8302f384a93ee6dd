"""Instants of measurements, as NTP's 64 bits and as they are written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.wire.nmwg_times import LATEST, from_iso, from_unix, shown_iso, shown_unix

#: Of data of the field: 64 bits, as unix, as iso.
KNOWN = (
    (
        14955475112573913873,
        "1273104096.2619984657",
        "Thu May 6 00:01:36.2619984657 UTC 2010",
    ),
    (14996886772305100800, "1282746000.0", "Wed Aug 25 14:20:00.0 UTC 2010"),
    (15110847059420250112, "1309279447.0", "Tue Jun 28 16:44:07.0 UTC 2011"),
)


@pytest.mark.parametrize(("instant", "unix", "iso"), KNOWN)
def test_the_lower_half_is_told_as_a_whole_number(instant: int, unix: str, iso: str) -> None:
    assert shown_unix(instant) == unix
    assert shown_iso(instant) == iso


def test_unix_seconds_are_read_with_decimals() -> None:
    assert from_unix("1282746000") == 14996886772305100800
    assert from_unix(" 1282746000.5 ") == 14996886772305100800 + (1 << 31)
    assert from_unix("0") == 2208988800 << 32


@pytest.mark.parametrize(
    "text",
    ["", "now", "12e5", "1.2.3", "0x10", "\uff11\uff12", "-", ".5", "9" * 40, "1;DROP TABLE x"],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert from_unix(text) is None
    assert from_iso(text) is None or text == "9" * 40


def test_times_beyond_the_era_are_its_ends() -> None:
    assert from_unix("-9999999999") == 0
    assert from_unix("9999999999") == LATEST
    assert from_iso("2100-01-01T00:00:00Z") == LATEST


@pytest.mark.parametrize(
    "text",
    [
        "2010-08-25T14:20:00Z",
        "2010-08-25T16:20:00+02:00",
        "2010-08-25T14:20:00",
        "2010-08-25 14:20",
        "2010/08/25 14:20:00",
        "20100825T142000Z",
        "Wed Aug 25 14:20:00 UTC 2010",
        "Wed Aug 25 14:20:00.0 UTC 2010",
        "Aug 25 14:20:00 2010",
    ],
)
def test_dates_are_read_in_the_forms_that_clients_write(text: str) -> None:
    assert from_iso(text) == 14996886772305100800


@pytest.mark.parametrize(
    "text", ["2010-13-01", "2010-02-30T00:00:00Z", "Wed Foo 25 14:20:00 UTC 2010", "soon", "²010"]
)
def test_dates_that_are_none(text: str) -> None:
    assert from_iso(text) is None


@given(st.datetimes(datetime(1970, 1, 1), datetime(2036, 2, 7)))
def test_what_is_written_is_read_again_to_the_second(when: datetime) -> None:
    instant = from_unix(str(int(when.replace(tzinfo=UTC).timestamp())))
    assert instant is not None
    assert from_iso(shown_iso(instant)) == instant
    assert int(shown_unix(instant).partition(".")[0]) == int(when.replace(tzinfo=UTC).timestamp())
