"""Times on the wire: read exactly, refused clearly, written so that everybody reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.wire.parse import parse
from aggregator.wire.times import (
    MILLISECOND,
    SECOND,
    format_datetime,
    from_micros,
    parse_datetime,
    parse_duration,
    parse_moment,
    to_micros,
)

DAY = 86_400 * SECOND
NOON = to_micros(datetime(2026, 1, 31, 12, tzinfo=UTC))
FIRST = to_micros(datetime.min.replace(tzinfo=UTC))
NEVER = to_micros(datetime(9999, 1, 1, tzinfo=UTC))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9998, 12, 29), timezones=OFFSETS)
INSTANTS = st.integers(FIRST, NEVER - 1)
ANY_INTEGER = st.integers(-(10**30), 10**30)
#: What fits a pattern of the lexical form, possible or not.
LEXICAL = st.from_regex(
    r"-?\d{1,12}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,12})?(Z|[+-]\d\d:\d\d)?", fullmatch=True
)


class TestDateTime:
    @given(moment=MOMENTS)
    def test_is_read_exactly_whatever_its_zone(self, moment: datetime) -> None:
        assert parse_datetime(moment.isoformat()) == to_micros(moment)
        assert from_micros(to_micros(moment)) == moment

    @given(instant=INSTANTS)
    def test_round_trip_to_the_millisecond(self, instant: int) -> None:
        written = format_datetime(instant)
        assert written.endswith("Z")
        assert parse_datetime(written) == instant // MILLISECOND * MILLISECOND

    @given(instant=ANY_INTEGER)
    def test_any_instant_is_written_as_xsd_takes_it(self, instant: int) -> None:
        written = format_datetime(instant)
        assert len(written) == len("2026-01-31T12:00:00.000Z")
        read = parse_datetime(written)
        assert read is None or FIRST <= read <= max(instant, FIRST)

    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("\n 2026-01-31T12:00:00 \t", NOON),
            ("2026-01-31T12:00:00.0Z", NOON),
            ("2026-01-31T12:00:00.1234567890123Z", NOON + 123_456),
            ("2026-01-31T12:00:00.000Z", NOON),
            ("2026-01-31T12:00:00-00:00", NOON),
            ("2026-02-01T02:00:00+14:00", NOON),
            ("2026-01-30T22:00:00-14:00", NOON),
            ("2026-01-30T24:00:00Z", NOON - DAY // 2),
            ("2026-01-30T24:00:00.000-12:00", NOON),
            ("2024-02-29T00:00:00Z", to_micros(datetime(2024, 2, 29, tzinfo=UTC))),
            ("0001-01-01T00:00:00Z", FIRST),
            ("0001-01-01T00:00:00+14:00", FIRST),
            ("9998-12-31T23:59:59.999999Z", NEVER - 1),
        ],
    )
    def test_spellings(self, text: str, instant: int) -> None:
        assert parse_datetime(text) == instant

    @pytest.mark.parametrize(
        "text",
        [
            "9999-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T24:00:00-14:00",
            "9998-12-31T24:00:00Z",
            "9998-12-31T23:00:00-05:00",
            "10000-01-01T00:00:00Z",
            "292278994-08-17T07:12:55.807Z",
            "12000-02-29T00:00:00Z",
        ],
    )
    def test_year_9999_and_above_never_comes(self, text: str) -> None:
        assert parse_datetime(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "now",
            "0000-01-01T00:00:00Z",
            "-0044-03-15T12:00:00Z",
            "+2026-01-31T12:00:00Z",
            "02026-01-31T12:00:00Z",
            "226-01-31T12:00:00Z",
            "2026-01-31",
            "2026-01-31 12:00:00Z",
            "2026-01-31t12:00:00z",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00,5Z",
            "2026-13-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-01-32T12:00:00Z",
            "2026-00-10T12:00:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T24:00:01Z",
            "2026-01-31T24:01:00Z",
            "2026-01-31T24:00:00.001Z",
            "2026-01-31T12:60:00Z",
            "2026-01-31T12:00:60Z",
            "2026-01-31T12:00:00+14:01",
            "2026-01-31T12:00:00-15:00",
            "2026-01-31T12:00:00+05:60",
            "2026-01-31T12:00:00+0500",
            "2026-01-31T12:00:00+05",
            "٢٠٢٦-01-31T12:00:00Z",
            "99999-99-99T99:99:99Z",
            "11000-02-29T00:00:00Z",
            "9" * 5000 + "-01-01T00:00:00Z",
            "2026-01-31T12:00:00." + "0" * 5000 + "Z",
        ],
    )
    def test_what_is_none_is_refused_with_what_was_given(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"no (xsd:dateTime like|possible date)") as refused:
            parse_datetime(text)
        assert repr(text.strip()[:60]) in str(refused.value)

    @given(text=st.one_of(LEXICAL, st.text()))
    def test_nothing_else_is_ever_raised(self, text: str) -> None:
        try:
            instant = parse_datetime(text)
        except ValueError:
            return
        if instant is not None:
            assert parse_datetime(format_datetime(instant)) is not None


class TestDuration:
    @given(
        start=INSTANTS,
        days=st.integers(0, 10**6),
        seconds=st.integers(0, 10**9),
        micros=st.integers(0, 999_999),
        negative=st.booleans(),
    )
    def test_of_fixed_length_is_exact(
        self, *, start: int, days: int, seconds: int, micros: int, negative: bool
    ) -> None:
        text = f"{'-' if negative else ''}P{days}DT{seconds}.{micros:06d}S"
        length = days * DAY + seconds * SECOND + micros
        instant = parse_duration(text, start=start)
        if negative:
            assert instant == max(start - length, FIRST)
        else:
            assert instant == (start + length if start + length < NEVER else None)

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("P1M", datetime(2026, 2, 28, 12)),
            ("P1Y1M", datetime(2027, 2, 28, 12)),
            ("P2Y1M", datetime(2028, 2, 29, 12)),
            ("P1M1D", datetime(2026, 3, 1, 12)),
            ("-P2M", datetime(2025, 11, 30, 12)),
            ("P11M", datetime(2026, 12, 31, 12)),
            (" PT90M\n", datetime(2026, 1, 31, 13, 30)),
            ("PT0S", datetime(2026, 1, 31, 12)),
            ("P1Y2M3DT4H5M6.5S", datetime(2027, 4, 3, 16, 5, 6, 500_000)),
        ],
    )
    def test_counts_months_by_the_calendar(self, text: str, moment: datetime) -> None:
        assert parse_duration(text, start=NOON) == to_micros(moment.replace(tzinfo=UTC))

    @pytest.mark.parametrize(
        "text",
        ["P7973Y", "P10000Y", "P999999999999Y", "P99999999M", "P3000000D", f"PT{'9' * 90}S"],
    )
    def test_past_the_calendar_never_comes(self, text: str) -> None:
        assert parse_duration(text, start=NOON) is None
        assert parse_duration(f"-{text}", start=NOON) == FIRST

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "P",
                "PT",
                "P1DT",
                "1D",
                "+P1D",
                "--P1D",
                "P-1D",
                "P1S",
                "PT1D",
                "P1.5D",
                "P1M1Y",
            ),
            *("pt1s", "PT1.S", "PT.5S", "PT1,5S", "P1W", "P 1D", "PT\u0661S", f"P{'9' * 5000}D"),
        ],
    )
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no xsd:duration like PT10M"):
            parse_duration(text, start=NOON)

    @given(text=st.from_regex(r"-?P[0-9YMDTHS.]{1,99}", fullmatch=True), start=ANY_INTEGER)
    def test_nothing_else_is_ever_raised(self, text: str, start: int) -> None:
        try:
            instant = parse_duration(text, start=start)
        except ValueError:
            return
        assert instant is None or FIRST <= instant < NEVER


class TestMoment:
    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("PT10M", NOON + 600 * SECOND),
            (" -PT10M ", NOON - 600 * SECOND),
            ("2026-01-31T12:00:00Z", NOON),
            ("9999-12-31T00:00:00Z", None),
        ],
    )
    def test_is_absolute_or_relative(self, text: str, instant: int | None) -> None:
        assert parse_moment(text, now=NOON) == instant

    @pytest.mark.parametrize("text", ["", "-", "--P1D", "tomorrow", "Pfff"])
    def test_or_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no xsd:"):
            parse_moment(text, now=NOON)


def test_what_is_written_is_plain_xml() -> None:
    assert parse(f"<t>{format_datetime(NOON)}</t>".encode()).text == "2026-01-31T12:00:00.000Z"
