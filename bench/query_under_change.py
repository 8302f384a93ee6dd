"""``bench/run query-under-change``: all entries of a group, at rest and while they change.

The entries are members that the collector polls, so that deliveries come in the way they do in
use. How many landed is read from the store's rows. The collector, the members and the client have
the same cores as the web workers, so that the CPU time of each is told too.
"""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench import entries
from bench.changing import Changing, changing
from bench.cpu import cpu_by_name, since
from bench.figures import Figure, Result
from bench.forward import Forward
from bench.wrk import Load, load
from tests import soap
from tests.service import RunningService, running_service

WHAT = "GetResourceProperty Entry of 1,000 entries, at rest and while 500 deliveries a second land"
MANY = 1_000
FAMILIES: tuple[soap.Family, ...] = ("oasis", "gt4")
REST, CHANGE = "at rest", "under change"
#: Milliseconds between two polls of a member. At rest nobody is polled after the first time; under
#: change there are 555 polls a second.
_INTERVALS = {REST: 3_600_000, CHANGE: 1_800}
_GROUP = "Changing"
# An entry without its AggregatorConfig has the 1.85 KB of the other benchmarks.
_CONFIG = f"[groups.{_GROUP}]\npublish_configuration = false\n"
_CLIENTS = 16
_SECONDS = 5.0
_ROUNDS = 3
#: Seconds within which all members must have been shown with something newer.
_PATIENCE = 20.0
_WEB, _COLLECTOR = "mds-web", "mds-collector"


@dataclass(frozen=True, slots=True)
class _Measured:
    """A load, and what landed and was taken in its time: CPU in seconds by process."""

    load: Load
    landed: float
    cpu: dict[str, float]
    client: float

    @property
    def web(self) -> float:
        """Seconds of the web workers' CPU for a reply."""
        return self.cpu[_WEB] / self.load.replies


@dataclass(slots=True)
class _All:
    measured: dict[tuple[str, soap.Family], list[_Measured]] = field(default_factory=dict)

    def ratio(self, family: soap.Family, of: Callable[[_Measured], float]) -> float:
        """Under change to at rest: the median of the rounds."""
        pairs = zip(self.measured[CHANGE, family], self.measured[REST, family], strict=True)
        return statistics.median(of(change) / of(rest) for change, rest in pairs)


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("query-under-change", WHAT)
    found = _All()
    checked = 0
    with changing(folder / "members") as members:
        for when, millis in _INTERVALS.items():
            _register(folder / when, members, millis)
        advance(0.1)
        for number in range(_ROUNDS):
            for when in _INTERVALS:
                with running_service(folder / when, config=_CONFIG) as service:
                    _wait(service, when)
                    if number == 0 and when == CHANGE:
                        checked = sum(_check(service, folder, family) for family in FAMILIES)
                    for family in FAMILIES:
                        one = _measure(service, folder, members, family)
                        found.measured.setdefault((when, family), []).append(one)
            advance(0.1 + 0.9 * (number + 1) / _ROUNDS)
    _tell(result, found)
    result.notes.append(
        f"Under load, {checked} replies were read whole: each had all entries, each entry only "
        "ever got newer, and all did."
    )
    return result


def _register(store: Path, members: Changing, millis: int) -> None:
    """Register all members at a new service, and wait until each was collected once."""
    with running_service(store, config=_CONFIG) as service:
        url = f"{service.url}/wsrf/services/{_GROUP}"

        def add(number: int) -> None:
            answer = soap.call(url, members.add_body(number, millis=millis))
            assert answer.status == 200, answer.content

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(MANY)))
        deadline = time.monotonic() + 30
        while (left := _rows(store, "digest = '' or error_code != ''")[0]) > 0:
            assert time.monotonic() < deadline, f"{left} members are not collected"
            time.sleep(0.1)


def _rows(store: Path, where: str = "true") -> tuple[int, int]:
    """How many rows of health there are, and how often what is published of them changed."""
    with contextlib.closing(sqlite3.connect(store / "aggregator.db")) as connection:
        [found] = connection.execute(
            f"select count(*), coalesce(sum(version), 0) from entry_health where {where}"
        )
    return found[0], found[1]


def _wait(service: RunningService, when: str) -> None:
    """Wait until each member was collected, where it is to be."""
    if when == CHANGE:
        time.sleep(1.5 * _INTERVALS[CHANGE] / 1000)
    assert _rows(service.data_dir, "error_code = ''")[0] == MANY


def _check(service: RunningService, folder: Path, family: soap.Family) -> int:
    """Read replies under load, over connections to all workers; how many were read."""
    forward = Forward(MANY)
    with _loaded(service, folder, family):
        deadline = time.monotonic() + _PATIENCE
        while forward.replies < 10 or (forward.still() and time.monotonic() < deadline):
            answer = soap.post(_url(service), entries.all_entries(family))
            assert answer.status == 200, answer.content[:1000]
            forward.take(answer.content)
    if still := forward.still():
        raise RuntimeError(f"{len(still)} members never got newer: {still[:3]}")
    return forward.replies


@contextlib.contextmanager
def _loaded(service: RunningService, folder: Path, family: soap.Family) -> Iterator[None]:
    """The same load as is measured, for a block that is about as long."""
    thread = threading.Thread(target=_load, args=(service, folder, family))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _url(service: RunningService) -> str:
    return f"{service.url}/wsrf/services/{_GROUP}"


def _load(service: RunningService, folder: Path, family: soap.Family) -> Load:
    return load(
        _url(service),
        folder / "load",
        clients=_CLIENTS,
        seconds=_SECONDS,
        body=entries.all_entries(family),
    )


def _measure(
    service: RunningService, folder: Path, members: Changing, family: soap.Family
) -> _Measured:
    size = len(soap.post(_url(service), entries.all_entries(family)).content)
    pids = (service.process.pid, members.pid)
    began, (_, landed) = time.monotonic(), _rows(service.data_dir)
    cpu, client = cpu_by_name(pids), _of_children()
    found = _load(service, folder, family)
    cpu, client = since(cpu, cpu_by_name(pids)), _of_children() - client
    landed = _rows(service.data_dir)[1] - landed
    seconds = time.monotonic() - began
    # What members say differs, and is always as long.
    least = found.replies * size
    most = least + found.replies * 600 + _CLIENTS * size
    if found.failed or not found.replies or not least <= found.bytes <= most:
        raise RuntimeError(f"replies of {size} bytes: {found}")
    if failed := _rows(service.data_dir, "error_code != ''")[0]:
        raise RuntimeError(f"{failed} members could not be collected; {service.logs()[-1000:]}")
    return _Measured(found, landed / seconds, cpu, client)


def _of_children() -> float:
    """CPU time of the clients that have ended."""
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken.ru_utime + taken.ru_stime


def _tell(result: Result, found: _All) -> None:
    result.columns = (
        "dialect", "when", "replies/s", "p99, ms", "deliveries/s",
        "web CPU for a reply, µs", "CPUs: web", "collector", "members", "client",
    )  # fmt: skip
    for family in FAMILIES:
        ratio = found.ratio(family, lambda one: one.load.rate)
        name = f"under change to at rest, {family}"
        result.figures.append(Figure(name, ratio, "", "at least", 0.7))
        result.notes.append(
            f"{family}: the web workers' CPU time for a reply under change is "
            f"{found.ratio(family, lambda one: one.web):.2f} of that at rest."
        )
        for when in _INTERVALS:
            result.rows += [_row(family, when, one) for one in found.measured[when, family]]
    landed = min(one.landed for family in FAMILIES for one in found.measured[CHANGE, family])
    result.figures.append(Figure("deliveries that landed a second", landed, "", "at least", 500))


def _row(family: soap.Family, when: str, one: _Measured) -> tuple[str, ...]:
    seconds = one.load.seconds
    shares = (one.cpu[_WEB], one.cpu[_COLLECTOR], one.cpu.get("nginx", 0.0), one.client)
    return (
        family,
        when,
        f"{one.load.rate:,.0f}",
        f"{one.load.p99 * 1e3:.1f}",
        f"{one.landed:.0f}",
        f"{one.web * 1e6:,.0f}",
        *(f"{taken / seconds:.2f}" for taken in shares),
    )
