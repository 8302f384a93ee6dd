"""``bench/run measurement``: a day of one path out of ten million measurements."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lxml import etree

from aggregator.measurement import datum, perfSONARBUOY
from aggregator.measurement.answering import Endpoint
from aggregator.measurement.building import FromDatabase
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.handling import RequestHandler
from aggregator.measurement.origins import Databases
from aggregator.store.engine import Store, open_store
from aggregator.store.measured_ntp import HALF
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_values import MeasuredTest, Throughput
from aggregator.store.migrate import migrate
from aggregator.wire.nmwg_names import IPERF
from aggregator.wire.nmwg_times import UNIX_EPOCH, shown_iso
from aggregator.wire.parse import Limits
from bench.figures import Figure, Line, Picture, Result
from tests.measured import data, key, message, metadata, parameter, select

WHAT = "A day of one path by key out of 10,000,000 measurements of 1,000 paths"
SIZES = (100_000, 1_000_000, 10_000_000)
PATHS = 1000
MINUTE, DAY = 60, 86400
BEGIN = 1_700_000_000
#: Measurements of which the median counts; each asks for another path.
_TIMES = 31
_FEW = 100
_BATCH = 100_000


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("measurement", WHAT)
    result.columns = (
        "measurements", "asked for", "by key, ms", "bare SQL and serialised, ms",
        "serialised by lxml, ms", "to bare", "to lxml",
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    measured: list[Measured] = []
    with Filled(folder) as filled:
        for size in SIZES:
            filled.fill(size, lambda done: advance(0.9 * done / SIZES[-1]))
            for asked in (_FEW, DAY // MINUTE):
                if asked * PATHS <= size:
                    measured.append(_measure(filled, asked))
                    result.rows.append(measured[-1].row)
    few = [one for one in measured if one.asked == _FEW]
    growth = few[-1].keyed / few[0].keyed
    result.figures += [
        Figure("a day by key, to bare SQL and serialisation", measured[-1].to_bare, "",
               "at most", 2.0),
        Figure(f"the same for {_FEW}, of 10,000,000 to of 100,000", growth, "", "at most", 2.0),
    ]  # fmt: skip
    result.notes.append(
        "Both serialise rows by the same function; what stands between is reading the message, its"
        " chain and key, and the reply around the rows"
    )
    lines = (
        Line("by key", tuple((float(one.size), one.keyed) for one in few)),
        Line("bare SQL and serialised", tuple((float(one.size), one.bare) for one in few)),
    )
    title = f"{_FEW} measurements of one path"
    result.pictures.append(Picture(title, "measurements in the archive", "ms", lines))
    return result


@dataclass(frozen=True, slots=True)
class Measured:
    """Times in milliseconds, medians."""

    size: int
    asked: int
    keyed: float
    bare: float
    by_lxml: float

    @property
    def to_bare(self) -> float:
        """How much longer a request by key takes than the rows and their text."""
        return self.keyed / self.bare

    @property
    def row(self) -> tuple[str, ...]:
        """For the table."""
        times = (self.keyed, self.bare, self.by_lxml, self.to_bare, self.keyed / self.by_lxml)
        return (f"{self.size:,}", str(self.asked), *(f"{one:.2f}" for one in times))


class Filled:
    """A store with measurements of many paths, a minute apart, and an endpoint that tells them."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(
            url=f"sqlite:///{folder / 'aggregator.db'}",
            data_dir=folder,
            pool_size=4,
            busy_timeout=4.0,
            write_timeout=600.0,
        )
        migrate(self.store)
        own = OwnMeasurements(self.store)
        for number in range(PATHS):
            # One each, so that there are tests; the rest is written as rows.
            own.add_throughput(_test(number), [Throughput(_ntp(BEGIN), 9.5e8, None, None, None)])
        archive = perfSONARBUOY(
            FileStore(folder / "store.xml"),
            {"sql": Databases({own.name: own})},
            tests=lambda: (FromDatabase(one, "sql", own.name) for one in own.tests()),
        )
        archive.createStorage()
        handler = RequestHandler()
        archive.init(handler)
        self.endpoint = Endpoint(handler, Limits(), 60.0, 2**30)
        self.each = 1
        with archive.store.opened() as opened:
            self.keys = {
                one.element.findtext(".//{*}parameter") or "": one.data[0].ma_key
                for one in opened.all()
            }

    def __enter__(self) -> Filled:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def fill(self, size: int, advance: Callable[[int], None]) -> None:
        """Have so many measurements in all."""
        while self.each * PATHS < size:
            until = min(size // PATHS, self.each + _BATCH // PATHS)
            rows = list(self._rows(self.each, until))
            with self.store.database.writing.connect() as connection:
                raw = connection.connection.cursor()
                raw.execute("BEGIN")
                raw.executemany("INSERT INTO measured_throughput VALUES (?, ?, ?, ?, ?, ?)", rows)
                raw.execute("COMMIT")
            self.each = until
            advance(self.each * PATHS)

    @property
    def last(self) -> int:
        """The second of the last measurements."""
        return BEGIN + (self.each - 1) * MINUTE

    @staticmethod
    def _rows(since: int, until: int) -> Iterator[tuple[int, int, float, None, None, None]]:
        for path in range(PATHS):
            for turn in range(since, until):
                at = _ntp(BEGIN + turn * MINUTE) + turn * 12345 - HALF
                yield path + 1, at, 9e8 + turn * 1e3 + path, None, None, None


def _test(number: int) -> MeasuredTest:
    # The duration tells paths apart in the metadata store.
    settings = (("protocol", "TCP"), ("timeDuration", str(number + 1)))
    return MeasuredTest("bwctl", "192.0.2.1", f"192.0.2.{number % 250}", settings[1:], ())


def _ntp(second: int) -> int:
    return (second + UNIX_EPOCH) << 32


def _measure(filled: Filled, asked: int) -> Measured:
    since, until = filled.last - asked * MINUTE + 1, filled.last
    ways = (
        partial(_keyed, filled, since=since, until=until, expected=asked),
        partial(_bare, filled, since=since, until=until, expected=asked),
        partial(_by_lxml, filled, since=since, until=until, expected=asked),
    )
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(_TIMES):
        # One after the other, so that what else the machine does slows all of them.
        for number, way in enumerate(ways):
            began = time.perf_counter()
            found = way((turn * len(ways) + number) * 37 % PATHS)
            times[number].append(time.perf_counter() - began)
            assert found.count(b"<iperf:datum") == asked, (number, found[:300])
    return Measured(filled.each * PATHS, asked, *(statistics.median(one) * 1000 for one in times))


def _keyed(filled: Filled, number: int, *, since: int, until: int, expected: int) -> bytes:
    times = (
        parameter("startTime", str(since)),
        parameter("endTime", str(until + 1)),
    )
    inner = metadata(inner=key(filled.keys[str(number + 1)])) + select("f", "m1", *times)
    return filled.endpoint.answer(message(inner + data("f")))


def _rows(filled: Filled, number: int, since: int, until: int) -> list[tuple[object, ...]]:
    with filled.store.read() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(
            "SELECT at, throughput, jitter, lost, sent FROM measured_throughput"
            " WHERE test_id = ? AND at > ? AND at < ? ORDER BY at",
            (number + 1, _ntp(since) - HALF, _ntp(until + 1) - HALF),
        )
        return list(cursor.fetchall())


def _bare(filled: Filled, number: int, *, since: int, until: int, expected: int) -> bytes:
    rows = _rows(filled, number, since, until)
    told = ((at + HALF, *rest) for at, *rest in rows)
    return b"".join(datum.throughputs(told, time_type="iso"))  # type: ignore[arg-type]


def _by_lxml(filled: Filled, number: int, *, since: int, until: int, expected: int) -> bytes:
    """As a service would that builds a tree."""
    root = etree.Element("data", nsmap={"iperf": IPERF})
    for at, throughput, *_ in _rows(filled, number, since, until):
        etree.SubElement(
            root,
            f"{{{IPERF}}}datum",
            timeType="iso",
            timeValue=shown_iso(at + HALF),
            throughput=repr(throughput),
        )
    return etree.tostring(root)
