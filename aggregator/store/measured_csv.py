"""Tables as files of comma-separated values, every value checked as it is read."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aggregator.errors import MeasurementsRefused


class Column(NamedTuple):
    """What a column holds: how its text is read, and what is told to be expected.

    `read` returns None for a text that can't be; an optional column may be empty.
    """

    expected: str
    read: Callable[[str], Any]
    optional: bool = False


class Line(NamedTuple):
    """A line of a file, with the number of it and the values of the columns that were asked for."""

    number: int
    values: tuple[Any, ...]


def whole(most: int, *, least: int = 0, optional: bool = False) -> Column:
    """A whole number."""

    def read(text: str) -> int | None:
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdecimal() or len(digits) > len(str(most)):
            return None
        return int(text) if least <= int(text) <= most else None

    return Column(f"a whole number from {least} to {most}", read, optional)


def real(*, optional: bool = False) -> Column:
    """A finite number."""

    def read(text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return None
        return value if math.isfinite(value) and "_" not in text else None

    return Column("a number", read, optional)


def word() -> Column:
    """A text that is not empty and can be told."""
    return Column("a text", lambda text: text if text.isprintable() else None)


def lines(path: Path, columns: Mapping[str, Column]) -> Iterator[Line]:
    """The lines of a file whose first one names its columns; others than asked for are left out.

    Raises MeasurementsRefused that tells the place of what is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _lines(path, csv.reader(file, strict=True), columns)
    except FileNotFoundError:
        raise MeasurementsRefused(f"{path}: there is no such file; it is needed") from None
    except OSError as error:
        raise MeasurementsRefused(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise MeasurementsRefused(
            f"{path}: {error.object[error.start : error.end]!r} given; expected is UTF-8"
        ) from None


def _lines(path: Path, reader: Any, columns: Mapping[str, Column]) -> Iterator[Line]:
    try:
        header: list[str] = next(reader, [])
        missing = [name for name in columns if name not in header]
        if missing:
            raise MeasurementsRefused(
                f"{path}, line 1: {','.join(header)!r} given; expected is a column"
                f" {', '.join(missing)}"
            )
        asked = [(header.index(name), name, column) for name, column in columns.items()]
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise MeasurementsRefused(
                    f"{path}, line {reader.line_num}: {len(row)} values given; expected are"
                    f" {len(header)}, as line 1 says"
                )
            place = f"{path}, line {reader.line_num}"
            yield Line(
                reader.line_num,
                tuple(_value(row[at], column, place, name) for at, name, column in asked),
            )
    except csv.Error as error:
        raise MeasurementsRefused(f"{path}, line {reader.line_num}: {error}") from None


def _value(text: str, column: Column, place: str, name: str) -> Any:
    if not text and column.optional:
        return None
    value = column.read(text) if text else None
    if value is None:
        raise MeasurementsRefused(
            f"{place}, column {name}: {text!r} given; expected is {column.expected}"
            f"{', or nothing' if column.optional else ''}"
        )
    return value
