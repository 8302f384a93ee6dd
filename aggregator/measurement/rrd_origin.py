"""Measurements in round robin databases: files that the program rrdtool reads."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from aggregator.errors import MeasurementsTooSlow, MeasurementsUnavailable
from aggregator.measurement.numbers import (
    Number,
    at,
    consolidated,
    function_for,
    is_within,
    resolution_for,
    seconds_of,
    told,
)
from aggregator.measurement.origins import Asked, NoData
from aggregator.measurement.running import OutputTooLarge, ProgramTooSlow, run
from aggregator.measurement.stored import StoredData, StoredMetadata
from aggregator.store.measured_values import Within

log = logging.getLogger(__name__)

#: Bytes of one answer of rrdtool.
_MOST = 32 * 2**20
_OTHERWISE = "rrdtool tells of a file in another way than expected"
_STEP = re.compile(r"^step = (\d{1,12})$", re.MULTILINE)
_LAST = re.compile(r"^last_update = (\d{1,12})$", re.MULTILINE)
_SOURCE = re.compile(r"^ds\[([^\]]+)\]\.index = (\d{1,4})$", re.MULTILINE)
_ARCHIVE = re.compile(
    r'^rra\[\d+\]\.cf = "(\w+)"\nrra\[\d+\]\.rows = (\d{1,12})\n(?:rra\[\d+\]\.cur_row = .*\n)?'
    r"rra\[\d+\]\.pdp_per_row = (\d{1,12})$",
    re.MULTILINE,
)


_Row = tuple[int, list[float]]
"""A time in seconds, and the number of each data source."""


class _File(NamedTuple):
    """What a file holds: its columns, and how many seconds of it each function reaches back."""

    step: int
    last: int
    sources: dict[str, int]
    archives: tuple[tuple[str, int, int], ...]

    def has_finer(self, function: str, step: int) -> bool:
        """Whether something is kept for less than `step` seconds each."""
        return any(self.step * each < step for _, _, each in self._kept(function))

    def _kept(self, function: str) -> list[tuple[str, int, int]]:
        # What is kept as it came serves all functions, as rrdtool has it.
        return [one for one in self.archives if one[0] == function or one[2] == 1]

    def reaches_back(self, function: str) -> int:
        """Seconds; 0 where nothing is kept for the function."""
        kept = (rows * each for _, rows, each in self._kept(function))
        return self.step * max(kept, default=0)


class _Reader(NamedTuple):
    """Runs rrdtool on one file, which is open as `file`."""

    origin: RrdOrigin
    file: int
    deadline: float

    def run(self, action: str, *arguments: str) -> str:
        """What rrdtool writes."""
        path = f"/proc/self/fd/{self.file}"
        command = [self.origin.program, action, path, *arguments]
        left = self.deadline - time.monotonic()
        try:
            ran = run(command, timeout=left, most=_MOST, pass_fds=[self.file])
        except ProgramTooSlow as error:
            raise MeasurementsTooSlow("rrdtool took too long") from error
        except OutputTooLarge as error:
            raise NoData("Too many numbers; ask for a shorter time or a resolution.") from error
        except OSError as error:
            self.origin.tell_missing(error)
            raise NoData("RRD files can't be read here: rrdtool is not installed.") from error
        if ran.status:
            raise MeasurementsUnavailable(f"rrdtool: {ran.complaint[:200]}")
        return ran.output.decode(errors="replace")

    def look(self) -> _File:
        """What the file holds."""
        text = self.run("info")
        step, last = _STEP.search(text), _LAST.search(text)
        if step is None or last is None:
            raise MeasurementsUnavailable(_OTHERWISE)
        sources = {name: int(index) for name, index in _SOURCE.findall(text)}
        archives = tuple((cf, int(rows), int(each)) for cf, rows, each in _ARCHIVE.findall(text))
        return _File(int(step[1]), int(last[1]), sources, archives)

    def fetch(self, found: _File, function: str, width: int, within: Within) -> list[_Row]:
        """Rows of numbers, of what reaches back far enough that which is nearest to `width`.

        Asked for is no more time than the file has, and then none before its first number: what
        is kept for long is coarse, and begins with what is unknown in a file that is not full.
        """
        reach = found.reaches_back(function)
        if not reach:
            raise NoData(f'Nothing is kept for the consolidationFunction "{function}".')
        start, end = max(found.last - reach, 1), found.last
        if within.start is not None:
            start = max(start, seconds_of(within.start) - 1)
        if within.end is not None:
            end = min(end, seconds_of(within.end) + 1)
        rows = self._rows(function, width, start, end)
        step = _step(rows)
        known = next((at for at, values in rows if _is_known(values)), None)
        if known is None or known - step <= start or not found.has_finer(function, step):
            return rows
        return self._rows(function, width, known - step, end)

    def _rows(self, function: str, width: int, start: int, end: int) -> list[_Row]:
        if start >= end:
            return []
        resolution = ("-r", str(width)) if width else ()
        lines = self.run("fetch", function, "-s", str(start), "-e", str(end), *resolution)
        split = (line.partition(":") for line in lines.splitlines()[2:])
        try:
            return [(int(at), [float(one) for one in values.split()]) for at, _, values in split]
        except ValueError as error:
            raise MeasurementsUnavailable(_OTHERWISE) from error


class RrdOrigin:
    """Files below `folder`: a stored key names one as `file`, and as `dataSource` what is in it."""

    def __init__(self, folder: Path, *, program: str = "rrdtool") -> None:
        self.program = program
        self._folder = folder
        self._is_told = False

    def data(self, metadata: StoredMetadata, data: StoredData, asked: Asked) -> Iterable[bytes]:
        """The numbers of a data source that are known, consolidated as it is asked for."""
        deadline = time.monotonic() + asked.timeout
        function, width = function_for(data, asked), resolution_for(data, asked)
        with self._opened(data.one("file")) as file:
            reader = _Reader(self, file, deadline)
            found = reader.look()
            column = _column(found, data)
            rows = reader.fetch(found, function, width, asked.times.within)
        numbers = _numbers(rows, column)
        known = [one for one in numbers if is_within(one[0], asked.times.within)]
        if width > _step(rows) > 0:
            known = list(consolidated(known, width, function))
        return told(known, metadata, data, asked)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """A file, open: whatever its name leads to later, it is the one that was looked at."""
        try:
            self._check(name, (self._folder / name).resolve())
            file = os.open(self._folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError, RuntimeError) as error:
            raise MeasurementsUnavailable(f"the RRD file {name!r}: {error}") from error
        try:
            self._check(name, Path(os.readlink(f"/proc/self/fd/{file}")))
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise MeasurementsUnavailable(f"the RRD file {name!r} is no file")
            yield file
        finally:
            os.close(file)

    def _check(self, name: str, path: Path) -> None:
        """Refuse a real path, links followed, that is not below the folder."""
        if not path.is_relative_to(self._folder.resolve()):
            raise MeasurementsUnavailable(f"the RRD file {name!r} lies outside of {self._folder}")

    def tell_missing(self, error: OSError) -> None:
        """Tell the operator, once, that the program can't be started."""
        if not self._is_told:
            self._is_told = True
            log.error("%s can't be started: %s; is it installed?", self.program, error)


def _column(found: _File, data: StoredData) -> int:
    name = data.one("dataSource")
    if not name and len(found.sources) == 1:
        return next(iter(found.sources.values()))
    if name not in found.sources:
        known = ", ".join(found.sources)
        raise MeasurementsUnavailable(
            f"the RRD file {data.one('file')!r} has no data source {name!r}; it has {known}"
        )
    return found.sources[name]


def _is_known(values: list[float]) -> bool:
    return any(map(math.isfinite, values))


def _numbers(rows: Iterable[_Row], column: int) -> Iterator[Number]:
    """What is known of one data source: a time is the end of what its number stands for."""
    for seconds, values in rows:
        if math.isfinite(values[column]):
            yield at(seconds), values[column]


def _step(rows: list[_Row]) -> int:
    """Seconds from one row to the next."""
    return rows[1][0] - rows[0][0] if len(rows) > 1 else 0
