"""Whose resolution counts: the request's, then the stored key's, then the configured one."""

from __future__ import annotations

import pytest

from aggregator.measurement.numbers import resolution_for
from aggregator.measurement.origins import Asked
from aggregator.measurement.selecting import TimeSettings
from aggregator.measurement.stored import StoredData


@pytest.mark.parametrize(
    ("asked", "stored", "configured", "expected"),
    [
        (60, "300", 900, 60),
        (0, "300", 900, 300),
        (0, "", 900, 900),
        (0, "5m", 900, 900),
        (0, "", 0, 0),
    ],
)
def test_resolution(asked: int, stored: str, configured: int, expected: int) -> None:
    data = StoredData("", "d", "m", {"resolution": (stored,)} if stored else {})
    wanted = Asked(TimeSettings(resolution=asked), "iso", 1.0, configured)
    assert resolution_for(data, wanted) == expected
