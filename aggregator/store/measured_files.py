"""Measurements in files of comma-separated values, laid out as perfSONARBUOY's tables.

A folder holds ``bwctl`` and ``owamp``, or one of them; in each of these, DATES.csv lists the months
or days, and of each of those there are ``_NODES``, ``_TESTSPEC`` and ``_DATA``, and of a day
``_DELAY`` where buckets were kept. The columns are those of the tables, in any order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aggregator.errors import MeasurementsRefused, MeasurementsUnavailable
from aggregator.store.measured_csv import Column, lines, real, whole, word
from aggregator.store.measured_layouts import DELAYS, THROUGHPUT, Tables
from aggregator.store.measured_ntp import ALL, HALF
from aggregator.store.measured_periods import TableSet, table_sets
from aggregator.store.measured_settings import Parameters
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput

Rows = list[Throughput] | list[Delay]
Key = tuple[int, int, int]
#: Measurements that are handed over at a time, at most.
SIZE = 5000

_ID = whole(2**32 - 1)
_INSTANT = whole(ALL - 1)
_COUNT = whole(HALF - 1, optional=True)
_BYTE = whole(255, optional=True)
_REAL = real(optional=True)
_DATES = {"year": whole(9998, least=1900), "month": whole(12, least=1), "day": whole(31, least=1)}
_SETTINGS: dict[str, Column] = {
    "udp": _BYTE,
    "window_size": _COUNT,
    "udp_bandwidth": _COUNT,
    "len_buffer": _COUNT,
    "duration": _COUNT,
    "num_session_packets": _COUNT,
    "bucket_width": _REAL,
    "wait_interval": _REAL,
    "dscp": _BYTE,
    "loss_timeout": _REAL,
    "packet_padding": _COUNT,
}
_PATH = {"send_id": _ID, "recv_id": _ID, "tspec_id": _ID}
_VALUES: dict[str, Column] = {
    **dict.fromkeys(("throughput", "jitter", "min", "max", "maxerr"), _REAL),
    **dict.fromkeys(("lost", "sent", "dups"), _COUNT),
    **dict.fromkeys(("minttl", "maxttl"), _BYTE),
    "ei": _ID,
}
_DELAY = {
    "si": _ID,
    "ei": _ID,
    **_PATH,
    "basei": whole(2**31 - 1, least=-(2**31)),
    "i": whole(2**31 - 1, least=-(2**31)),
    "n": whole(HALF - 1),
}


def read_folder(folder: Path) -> Iterator[tuple[MeasuredTest, Rows]]:
    """What a folder holds, some measurements of one test at a time.

    Raises MeasurementsRefused for what is wrong or missing, with its place.
    """
    there = [tables for tables in (THROUGHPUT, DELAYS) if (folder / tables.kind).is_dir()]
    if not there:
        raise MeasurementsRefused(
            f"{folder}: expected is a folder bwctl, or owamp, in it with a file DATES.csv"
        )
    for tables in there:
        of_kind = folder / tables.kind
        for one in _sets(of_kind, tables):
            yield from _Set(of_kind, tables, one).measurements()


def _sets(folder: Path, tables: Tables) -> list[TableSet]:
    path = folder / "DATES.csv"
    columns = {name: _DATES[name] for name in tables.dates}
    found = {}
    for line in lines(path, columns):
        try:
            found[line.values] = table_sets([line.values], str(path))[0]
        except MeasurementsUnavailable:
            shown = "-".join(map(str, line.values))
            raise MeasurementsRefused(
                f"{path}, line {line.number}, column {tables.dates[-1]}: {shown} given; expected"
                " is a date"
            ) from None
    return sorted(found.values(), key=lambda one: one.begins)


class _Set:
    """The files of one month or day."""

    def __init__(self, folder: Path, tables: Tables, tables_of: TableSet) -> None:
        self._folder = folder
        self._tables = tables
        self._set = tables_of
        self._nodes: dict[int, str] = {}
        self._settings: dict[int, Parameters] = {}

    def measurements(self) -> Iterator[tuple[MeasuredTest, Rows]]:
        """All that was measured in it."""
        self._nodes = {
            number: address
            for _, (number, address) in lines(self._path("NODES"), {"node_id": _ID, "addr": word()})
        }
        columns = {name: _SETTINGS[name] for name in self._tables.settings}
        for line in lines(self._path("TESTSPEC"), {"tspec_id": _ID, **columns}):
            number, *settings = line.values
            self._settings[number] = self._tables.parameters(settings)
        if self._tables.kind == "bwctl":
            yield from self._grouped(self._data())
            return
        buckets = self._buckets()
        yield from self._grouped(self._data(buckets))
        for (*_, second), (number, _) in buckets.items():
            raise MeasurementsRefused(
                f"{self._path('DELAY')}, line {number}, column ei: {second} given; expected is a"
                f" sample with these ids and times in {self._path('DATA').name}"
            )

    def _path(self, what: str) -> Path:
        return self._folder / f"{self._set.table(what)}.csv"

    def _data(
        self, buckets: dict[tuple[int, ...], tuple[int, list[tuple[int, int]]]] | None = None
    ) -> Iterator[tuple[Key, Throughput | Delay]]:
        """The lines of DATA; what is taken of `buckets` is gone from it."""
        tables, path = self._tables, self._path("DATA")
        asked: dict[str, Column] = {**_PATH, tables.second: _ID, tables.begins: _INSTANT}
        asked |= {tables.ends: _INSTANT} | {name: _VALUES[name] for name in tables.values}
        for line in lines(path, asked):
            key = line.values[:3]
            self._require_known(path, line.number, key)
            if buckets is None:
                yield key, Throughput._make(line.values[4:])
                continue
            second, begins, ends, *values, end_second = line.values[3:]
            if ends < begins:
                raise MeasurementsRefused(
                    f"{path}, line {line.number}, column {tables.ends}: {ends} given; expected is"
                    f" {begins} or more, since the sample begins then"
                )
            _, of_sample = buckets.pop((*key, second, end_second), (0, []))
            yield key, Delay._make((begins, ends, *values, tuple(sorted(of_sample))))

    def _require_known(self, path: Path, number: int, key: Key) -> None:
        known: tuple[Mapping[int, Any], ...] = (self._nodes, self._nodes, self._settings)
        for column, value, there in zip(_PATH, key, known, strict=True):
            if value not in there:
                file = self._path("TESTSPEC" if column == "tspec_id" else "NODES").name
                raise MeasurementsRefused(
                    f"{path}, line {number}, column {column}: {value} given; expected is an id"
                    f" that is in {file}"
                )

    def _buckets(self) -> dict[tuple[int, ...], tuple[int, list[tuple[int, int]]]]:
        """Buckets by ids and seconds of their samples, with the line of the first."""
        found: dict[tuple[int, ...], tuple[int, list[tuple[int, int]]]] = {}
        if not self._path("DELAY").exists():
            return found
        for number, (si, ei, sender, receiver, settings, basei, i, n) in lines(
            self._path("DELAY"), _DELAY
        ):
            _, buckets = found.setdefault((sender, receiver, settings, si, ei), (number, []))
            buckets.append((basei + i, n))
        return found

    def _grouped(
        self, rows: Iterator[tuple[Key, Throughput | Delay]]
    ) -> Iterator[tuple[MeasuredTest, Rows]]:
        """Some measurements at a time, by their tests."""
        groups: dict[Key, list[Any]] = defaultdict(list)
        count = 0
        for key, row in rows:
            groups[key].append(row)
            count += 1
            if count == SIZE:
                yield from self._told(groups)
                groups.clear()
                count = 0
        yield from self._told(groups)

    def _told(self, groups: Mapping[Key, list[Any]]) -> Iterator[tuple[MeasuredTest, Rows]]:
        for (sender, receiver, number), rows in groups.items():
            source, destination = self._nodes[sender], self._nodes[receiver]
            settings = self._settings[number]
            yield MeasuredTest(self._tables.kind, source, destination, settings, (number,)), rows
