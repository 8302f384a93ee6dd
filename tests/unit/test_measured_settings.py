"""The settings of tests, as clients are told them."""

from __future__ import annotations

import pytest

from aggregator.store.measured_ntp import ALL, Bounds, bounds
from aggregator.store.measured_settings import delay_parameters, shown, throughput_parameters
from aggregator.store.measured_values import Within


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10800, "10800"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        # What single precision makes of them.
        (0.10000000149011612, "0.1"),
        (9.999999747378752e-05, "0.0001"),
        (1e-05, "0.00001"),
        (1e-7, "0.0000001"),
        (2.0, "2"),
        (900000000000, "900000000000"),
        (1.5, "1.5"),
    ],
)
def test_numbers_are_told_as_upstream_tells_them(value: float, text: str) -> None:
    assert shown(value) == text


def test_what_is_zero_or_absent_is_left_out() -> None:
    assert throughput_parameters([0, None, 0, None, 10]) == (
        ("protocol", "TCP"),
        ("timeDuration", "10"),
    )
    assert delay_parameters([600, 0.001, 0.0, 0, 0.0, None]) == (
        ("count", "600"),
        ("bucket_width", "0.001"),
    )


def test_a_range_is_its_first_and_last_value() -> None:
    assert bounds(Within()) == Bounds(0, ALL - 1)
    assert bounds(Within(5, 9)) == Bounds(6, 8)
    assert bounds(Within(5, 9, True, True)) == Bounds(5, 9)
    assert bounds(Within(-9, ALL + 9)) == Bounds(0, ALL - 1)
    assert bounds(Within(ALL, None)) == Bounds(ALL + 1, ALL - 1)
