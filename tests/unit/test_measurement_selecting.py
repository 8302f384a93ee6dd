"""Which times a request asks for: the forms of a time, operators, filters that narrow."""

from __future__ import annotations

import pytest

from aggregator.measurement.chains import Chains
from aggregator.measurement.message import read_message
from aggregator.measurement.selecting import TimeSettings, time_settings
from aggregator.store.measured_values import Within
from aggregator.wire.parse import Limits
from tests.measured import NOON, SECOND, UNIX, data, message, metadata, parameter, select

LATER = NOON + 60 * SECOND


def settings(inner: str, *, ref: str) -> TimeSettings:
    asked = read_message(message(inner + data(ref)), limits=Limits())
    return time_settings(Chains(asked).of(asked.triggers[0]))


def within(*parameters: str) -> Within:
    """The range of a filter with these parameters."""
    return settings(metadata("m") + select("f", "m", *parameters), ref="f").within


def test_without_any_there_are_no_bounds() -> None:
    assert settings(metadata("m"), ref="m") == TimeSettings()
    assert within() == Within()


def test_start_and_end_are_no_part_of_the_range() -> None:
    found = within(parameter("startTime", str(UNIX)), parameter("endTime", str(UNIX + 60)))
    assert found == Within(NOON, LATER)


@pytest.mark.parametrize(
    "value",
    [
        f"{UNIX}",
        f"<nmtm:time><nmtm:value>{UNIX}</nmtm:value></nmtm:time>",
        f'<nmtm:time type="unix" value="{UNIX}"/>',
        f"<nmtm:time><nmtm:start>{UNIX}</nmtm:start></nmtm:time>",
        f"<nmtm:time><nmtm:start><nmtm:value>{UNIX}</nmtm:value></nmtm:start></nmtm:time>",
        f'<nmtm:time type="iso"><nmtm:value type="unix">{UNIX}</nmtm:value></nmtm:time>',
        '<nmtm:time type="iso"><nmtm:value>2010-08-25T14:20:00Z</nmtm:value></nmtm:time>',
    ],
)
def test_the_forms_of_a_value_and_the_innermost_type(value: str) -> None:
    assert within(parameter("startTime", value)) == Within(NOON)


def test_a_value_as_an_attribute() -> None:
    assert within(f'<nmwg:parameter name="startTime" value="{UNIX}"/>') == Within(NOON)


def test_the_type_of_the_parameter() -> None:
    assert within(parameter("startTime", "2010-08-25T14:20:00Z", type="iso")) == Within(NOON)
    # Unix is what a time is without a type.
    assert within(parameter("startTime", "2010-08-25T14:20:00Z")) == Within()


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("gt", Within(NOON)),
        ("gte", Within(NOON, includes_start=True)),
        ("lt", Within(None, NOON)),
        ("lte", Within(None, NOON, includes_end=True)),
        ("eq", Within(NOON, NOON + SECOND - 1, includes_start=True, includes_end=True)),
        ("GTE", Within(NOON, includes_start=True)),
        ("like", Within()),
    ],
)
def test_operators(operator: str, expected: Within) -> None:
    assert within(parameter("time", str(UNIX), operator=operator)) == expected


def test_a_range_of_two_operators() -> None:
    found = within(
        parameter("time", str(UNIX), operator="gte"),
        parameter("time", str(UNIX + 60), operator="lt"),
    )
    assert found == Within(NOON, LATER, includes_start=True)


def test_they_may_stand_in_the_metadata_itself_and_in_its_key() -> None:
    block = f'<nmwg:parameters id="p">{parameter("startTime", str(UNIX))}</nmwg:parameters>'
    assert settings(metadata("m", inner=block), ref="m").within == Within(NOON)
    in_key = f"<nmwg:key>{block}</nmwg:key>"
    assert settings(metadata("m", inner=in_key), ref="m").within == Within(NOON)


def test_filters_narrow() -> None:
    inner = (
        metadata("m")
        + select("f1", "m", parameter("startTime", str(UNIX)), parameter("endTime", "1400000000"))
        + select("f2", "f1", parameter("startTime", "1"), parameter("endTime", str(UNIX + 60)))
    )
    assert settings(inner, ref="f2").within == Within(NOON, LATER)


def test_a_filter_with_a_start_alone_leaves_the_end() -> None:
    inner = (
        metadata("m")
        + select("f1", "m", parameter("endTime", str(UNIX + 60)))
        + select("f2", "f1", parameter("startTime", str(UNIX)))
    )
    assert settings(inner, ref="f2").within == Within(NOON, LATER)


def test_a_start_after_the_end_in_one_metadata_is_no_range() -> None:
    found = within(parameter("startTime", str(UNIX + 1)), parameter("endTime", str(UNIX)))
    assert found == Within()


def test_filters_that_have_nothing_in_common_leave_nothing() -> None:
    inner = (
        metadata("m")
        + select("f1", "m", parameter("endTime", str(UNIX)))
        + select("f2", "f1", parameter("startTime", str(UNIX + 60)))
    )
    assert settings(inner, ref="f2").within == Within(LATER, NOON)


def test_resolution_and_consolidation() -> None:
    inner = metadata("m") + select(
        "f", "m", parameter("resolution", "300"), parameter("consolidationFunction", "MAX")
    )
    found = settings(inner, ref="f")
    assert (found.resolution, found.consolidation) == (300, "MAX")
    for wrong in ("5m", "-1", "1e9", "9" * 20, "\u0663"):
        inner = metadata("m") + select("f", "m", parameter("resolution", wrong))
        assert settings(inner, ref="f").resolution == 0
