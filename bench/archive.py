"""``bench/run archive``: one member's documents out of ten million of a thousand members."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

from aggregator.store.archive_packing import Bases, inflate
from aggregator.store.archive_reading import Wanted, read_page
from aggregator.store.archive_tables import DAY
from aggregator.store.archive_unpacking import Place
from aggregator.store.archive_writing import Arrival, archive
from aggregator.store.engine import Store
from bench.archived import BORN, GLUE, GROUP, MEMBERS, MINUTE, Filled, glue, member
from bench.figures import Figure, Line, Picture, Result
from tests import soap
from tests.service import running_service

WHAT = "A day of one member out of an archive of 10,000,000 deliveries of 1,000 members"
SIZES = (100_000, 1_000_000, 10_000_000)
#: Measurements of which the median counts; each asks for another member.
_TIMES = 31
#: Deliveries that are asked for where there is not a day of them yet.
_FEW = 100
_XPATH = "//glue:State[@glue:FreeCPUs > 100]/@glue:FreeCPUs"


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("archive", WHAT)
    result.columns = (
        "deliveries", "asked for", "read, ms", "bare SQL, ms", "and inflated, ms", "to bare SQL",
        "and inflated",
    )  # fmt: skip
    measured = []
    folder.mkdir(exist_ok=True)
    with Filled(folder) as filled:
        result.notes.append(f"CPU of a delivery that is kept, {', '.join(_writing(filled.store))}")
        for size in SIZES:
            filled.fill(size, lambda done: advance(0.9 * done / SIZES[-1]))
            for asked in (_FEW, DAY // MINUTE):
                if asked * MEMBERS <= size:
                    measured.append(_measure(filled, asked))
                    result.rows.append(measured[-1].row)
        bytes_each = filled.path.stat().st_size / SIZES[-1]
    last = measured[-1]
    result.figures.append(Figure("a day, to bare SQL", last.to_bare, "", "at most", 2.0))
    result.notes.insert(
        0,
        "The bare SELECT leaves the documents deflated; against one that inflates them a day takes"
        f" {last.to_inflated:.2f} times as long. What stands between the two is inflating, which"
        " whoever wants the documents has to do",
    )
    few = [one for one in measured if one.asked == _FEW]
    growth = few[-1].read / few[0].read
    result.figures.append(
        Figure(f"the same for {_FEW}, of 10,000,000 to of 100,000", growth, "", "at most", 2.0)
    )
    result.notes.append(f"A document of {filled.document} bytes takes {bytes_each:.0f} in the file")
    result.notes.append(_asked(folder, filled))
    points = tuple((float(one.size), one.read) for one in few)
    bare = tuple((float(one.size), one.inflated) for one in few)
    lines = (Line("read", points), Line("bare SQL, and inflated", bare))
    title = f"{_FEW} documents of one member"
    result.pictures.append(Picture(title, "deliveries in the archive", "ms", lines))
    return result


@dataclass(frozen=True, slots=True)
class Measured:
    """Times in milliseconds, medians."""

    size: int
    asked: int
    read: float
    bare: float
    inflated: float

    @property
    def to_bare(self) -> float:
        """How much longer reading takes than the SELECT, which leaves documents deflated."""
        return self.read / self.bare

    @property
    def to_inflated(self) -> float:
        """How much longer it takes than the SELECT and inflating."""
        return self.read / self.inflated

    @property
    def row(self) -> tuple[str, ...]:
        """For the table."""
        times = (self.read, self.bare, self.inflated, self.to_bare, self.to_inflated)
        return (f"{self.size:,}", str(self.asked), *(f"{one:.2f}" for one in times))


def _measure(filled: Filled, asked: int) -> Measured:
    since, until = filled.last - asked * MINUTE, filled.last - 1
    bases = Bases()
    ways = (
        partial(_read, filled, since=since, until=until, bases=bases, expected=asked),
        partial(_bare, filled, since=since, until=until, expected=asked),
        partial(_bare, filled, since=since, until=until, expected=asked, inflating=True),
    )
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(_TIMES):
        # One after the other, so that what else the machine does slows all of them.
        for number, way in enumerate(ways):
            began = time.perf_counter()
            way((turn * len(ways) + number) * 37 % MEMBERS)
            times[number].append(time.perf_counter() - began)
    return Measured(filled.filled, asked, *(statistics.median(one) * 1000 for one in times))


def _read(
    filled: Filled, number: int, *, since: int, until: int, bases: Bases, expected: int
) -> None:
    place: Place | None = None
    found = 0
    while True:
        page = filled.store.query(
            partial(
                read_page,
                group_id=filled.group_id,
                wanted=Wanted(since, until, member(number)),
                after=place,
                most=1000,
                budget=4 * 2**20,
                bases=bases,
            )
        )
        found += len(page.spans)
        if not page.more:
            break
        place = page.spans[-1].place
    assert found == expected, (found, expected)


def _bare(
    filled: Filled, number: int, *, since: int, until: int, expected: int, inflating: bool = False
) -> None:
    with filled.store.read() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(
            "SELECT first, last, deliveries, base, size, content FROM archive_spans"
            " WHERE stream_id = ? AND first BETWEEN ? AND ? ORDER BY first",
            (number + 1, since, until),
        )
        rows = cursor.fetchall()
    assert len(rows) == expected
    if inflating:
        base = filled.bases[number]
        for *_, size, content in rows:
            inflate(content, base, size)


def _writing(store: Store) -> Iterator[str]:
    """CPU of a delivery that is kept: one that changed, one that did not, and a number with it."""
    bases, chance = Bases(), random.Random(2)
    text = glue(0, chance)
    turns = count(BORN - 3 * DAY, MINUTE)
    for kind in ("changed", "unchanged", "with a number"):
        values = {"load": 1.0} if kind == "with a number" else {}
        batches = [
            [
                Arrival(
                    entry_key=f"w{number}",
                    address="http://w/s",
                    reference="",
                    epr=b"",
                    at=at,
                    gap=0,
                    children=(glue(number, chance) if kind == "changed" else text,),
                    values=values,
                )
                for number in range(250)
            ]
            for at in islice(turns, 13)
        ]
        keep = [partial(archive, group=GROUP, arrivals=one, bases=bases) for one in batches]
        store.writer.run(keep.pop(0))
        began = time.process_time()
        for unit in keep:
            store.writer.run(unit)
        spent = (time.process_time() - began) / (250 * len(keep))
        yield f"{kind}: {spent * 1e6:.0f} µs"


def _asked(folder: Path, filled: Filled) -> str:
    """How long a QueryArchive takes over a day of one member, in a service on the same file."""
    since, until = _told(filled.last - DAY), _told(filled.last)
    times = []
    with running_service(folder) as service:
        url = f"{service.url}/wsrf/services/{GROUP}"
        for number in range(7):
            body = (
                f'<QueryArchive xmlns="http://mds.globus.org/archive/2006/08"><QueryExpression '
                f"{GLUE}>{_XPATH.replace('>', '&gt;')}</QueryExpression><From>{since}</From>"
                f"<To>{until}</To><MemberEPR><a:Address "
                f'xmlns:a="http://www.w3.org/2005/08/addressing">{member(number * 37)}</a:Address>'
                "</MemberEPR></QueryArchive>"
            )
            began = time.perf_counter()
            answer = soap.call(url, body, timeout=60)
            times.append(time.perf_counter() - began)
            assert answer.status == 200, answer.content[:500]
    median = statistics.median(times) * 1000
    return f"QueryArchive of a day of one member, an XPath on 1,440 documents: {median:.0f} ms"


def _told(instant: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant // 1_000_000))
