"""Durations and sizes, as numbers or with their units."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

from aggregator.config.kinds import Kind, not_a

_SECONDS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_BYTES = {
    "B": Fraction(1),
    "kB": Fraction(10**3),
    "MB": Fraction(10**6),
    "GB": Fraction(10**9),
    "KiB": Fraction(2**10),
    "MiB": Fraction(2**20),
    "GiB": Fraction(2**30),
}
_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{1,9})?)"
_DURATION_PART = re.compile(_NUMBER + r"\s*(ms|s|m|h|d)")
_DURATION = re.compile(rf"\s*(?:{_DURATION_PART.pattern}\s*)+")
_SIZE = re.compile(rf"\s*{_NUMBER}\s*(B|kB|MB|GB|KiB|MiB|GiB)\s*")
_PLAIN = re.compile(rf"\s*{_NUMBER}\s*")
_YEAR = 366 * 86400.0


def duration(least: float, most: float = _YEAR, *, or_zero: bool = False) -> Kind[float]:
    """Return the kind of a time in seconds: ``90``, ``"90"``, ``"1.5m"``, ``"1m30s"``.

    ``or_zero`` allows 0 below the least value, where it switches something off.
    """
    zero = "0 or " if or_zero else ""
    bounds = f"from {show_duration(least)} to {show_duration(most)}"
    expected = f'{zero}a duration {bounds} (seconds or "1m30s")'

    def read(value: object) -> float:
        seconds = _seconds(value)
        if seconds is None or not (least <= seconds <= most or (or_zero and seconds == 0)):
            raise not_a(value, expected)
        return seconds

    return Kind("duration", read, lambda seconds: _quoted(show_duration(seconds)), unit="seconds")


def size(least: int, most: int) -> Kind[int]:
    """Return the kind of a number of bytes: ``4194304``, ``"4MiB"``, ``"4 MB"``."""
    expected = f'a size from {show_size(least)} to {show_size(most)} (bytes or "4MiB")'

    def read(value: object) -> int:
        number = _bytes(value)
        if number is None or not least <= number <= most:
            raise not_a(value, expected)
        return number

    return Kind("size", read, lambda number: _quoted(show_size(number)), unit="bytes")


def show_duration(seconds: float) -> str:
    """Return a duration in the largest unit that leaves a whole number: ``1h``."""
    return _largest_unit(Fraction(str(seconds)), _SECONDS, "s")


def show_size(number: int) -> str:
    """Return a size in the largest binary unit that leaves a whole number: ``4MiB``."""
    binary = {unit: worth for unit, worth in _BYTES.items() if unit in {"B", "KiB", "MiB", "GiB"}}
    return _largest_unit(Fraction(number), binary, "B")


def _quoted(measure: str) -> str:
    return measure if measure == "0" else f'"{measure}"'


def _largest_unit(amount: Fraction, units: Mapping[str, Fraction], smallest: str) -> str:
    fitting = [
        unit for unit, worth in units.items() if amount and (amount / worth).denominator == 1
    ]
    if not fitting:
        return f"{float(amount):g}" + (smallest if amount else "")
    unit = max(fitting, key=lambda candidate: units[candidate])
    return f"{amount / units[unit]}{unit}"


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    if plain := _PLAIN.fullmatch(value):
        return float(plain[1])
    if not _DURATION.fullmatch(value):
        return None
    parts = _DURATION_PART.findall(value)
    return float(sum(Fraction(number) * _SECONDS[unit] for number, unit in parts))


def _bytes(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        return None
    if plain := _PLAIN.fullmatch(value):
        amount = Fraction(plain[1])
    elif match := _SIZE.fullmatch(value):
        amount = Fraction(match[1]) * _BYTES[match[2]]
    else:
        return None
    return int(amount) if amount.denominator == 1 else None
