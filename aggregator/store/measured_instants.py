"""NTP's 64 bits as columns of foreign databases hold them.

- MariaDB and MySQL: BIGINT UNSIGNED, as upstream's schema has it.
- PostgreSQL, which has no unsigned numbers: NUMERIC(20).
- SQLite, whose whole numbers have a sign: INTEGER with the same 64 bits, which is the number less
  2**64 for all times since 1968. What is larger it would keep as a floating point number, whose
  last eleven bits are gone; such a column is refused rather than read.
"""

from __future__ import annotations

from typing import Any

from aggregator.errors import MeasurementsUnavailable
from aggregator.store.measured_ntp import ALL, HALF, Bounds


def stored(bounds: Bounds, *, is_sqlite: bool) -> Bounds:
    """Bounds as a column holds them."""
    if not is_sqlite:
        return bounds
    if bounds.last < HALF:
        return Bounds(0, -1)
    return Bounds(max(bounds.first, HALF) - ALL, bounds.last - ALL)


def require_whole(value: Any, *, column: str, name: str) -> None:
    """Raise where an embedded database did not keep an instant as a whole number."""
    if not isinstance(value, int):
        raise MeasurementsUnavailable(
            f"{name}: {column} holds {value!r}; expected is a whole number of 64 bits with a sign,"
            " which is the unsigned one less 2**64"
        )
