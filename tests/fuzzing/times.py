"""xsd:dateTime and xsd:duration: good ones, their extremes, and what only looks like one."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzzing.texts import content, mostly

_YEARS = st.one_of(
    st.integers(1, 9999).map("{:04}".format),
    st.sampled_from(["2040", "2099", "9998", "9999", "10000", "12345678901", "0001", "0000"]),
    st.sampled_from(["-0001", "-2040", "02040", "99", "9" * 90, "9" * 5000]),
)
_DAYS = st.sampled_from(["01-01", "12-31", "02-29", "02-30", "06-31", "13-01", "00-00", "1-1"])
_TIMES = st.sampled_from(
    ["00:00:00", "12:34:56", "23:59:59", "24:00:00", "24:00:01", "23:59:60", "12:60:00", "1:2:3"]
)
_FRACTIONS = st.sampled_from(["", "", ".0", ".5", ".000", ".1234567890123", ".", "." + "9" * 60])
_ZONES = st.sampled_from(
    ["", "Z", "Z", "+00:00", "-00:00", "+14:00", "-14:00", "+14:01", "+05:30", "z", "+1:00", "UTC"]
)


def _moment(year: str, day: str, time: str, fraction: str, zone: str) -> str:
    return f"{year}-{day}T{time}{fraction}{zone}"


DATETIMES = st.one_of(
    st.builds(_moment, _YEARS, _DAYS, _TIMES, _FRACTIONS, _ZONES),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
)

_NUMBERS = st.one_of(
    st.integers(0, 400).map(str),
    st.sampled_from(["0", "00", "9" * 9, "9" * 19, "9" * 40, "9" * 99, "1.5", "-1", "+1", "1e3"]),
)


@st.composite
def _duration(draw: st.DrawFn) -> str:
    date = [draw(_NUMBERS) + unit for unit in "YMDW" if draw(st.integers(0, 3)) == 0]
    time = [draw(_NUMBERS) + unit for unit in "HMS" if draw(st.integers(0, 2)) == 0]
    sign = draw(st.sampled_from(["", "", "", "-", "+", "--"]))
    return f"{sign}P{''.join(date)}{'T' if time or draw(st.booleans()) else ''}{''.join(time)}"


DURATIONS = st.one_of(_duration(), st.sampled_from(["PT1H", "PT10M", "P1Y2M3DT4H5M6.7S", "-PT5M"]))
_NONSENSE = st.one_of(
    st.sampled_from(
        ["", " ", "P", "-P", "PT", "T", "now", "never", "NaN", "INF", "0", "-", "2040"]
    ),
    st.sampled_from(["\u0662\u0660\u0664\u0660-01-01T00:00:00Z", "2040-01-01", "2040-01-01 00:00"]),
    content(),
)
_PADDED = st.sampled_from(
    ["{}", "{}", "{}", "\n {}\t", "<!-- c -->{}", "{}<?p?>", "\u00a0{}", "{}x"]
)


def _padded(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda form, value: form.format(value), _PADDED, values)


#: A TerminationTime as content of its element.
MOMENTS = mostly(_padded(DATETIMES), _NONSENSE)
#: A lifetime as content of its element.
LIFETIMES = mostly(_padded(DURATIONS), _NONSENSE)
