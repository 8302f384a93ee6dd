"""``bench/run add``: durable registrations, beside etcd's puts with a lease."""

from __future__ import annotations

import math
import re
import statistics
import urllib.request
from collections.abc import Callable
from pathlib import Path

from bench import entries
from bench.figures import Figure, Line, Picture, Result
from bench.peers.etcd import count, etcd, leases, put
from bench.processes import Missing
from bench.stock import plain_groups, stocked
from bench.wrk import Load, load
from tests import soap
from tests.service import RunningService, running_service

WHAT = "Durable Adds of 1 KB by 16 clients to two workers, up to 100,000 entries"
MANY = 100_000
_GROUP = "Added"
_CLIENTS = 16
_SECONDS = 10.0
#: How often the service and etcd take turns.
_ROUNDS = 3
_WAITED = re.compile(
    r'^aggregator_store_lock_wait_seconds_bucket\{.*?le="([^"]+)".*?\} (\S+)$', re.MULTILINE
)


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("add", WHAT)
    beside_etcd(folder / "beside", result, lambda done: advance(0.5 * done))
    growing(folder / "growing", result, lambda done: advance(0.5 + 0.3 * done))
    four_workers(folder / "four", result)
    return result


def beside_etcd(folder: Path, result: Result, advance: Callable[[float], None]) -> None:
    """The service and etcd in turn, each with a lifetime for what it is given."""
    ours, theirs = [], []
    with running_service(folder / "service", config=_config(2)) as service:
        try:
            with etcd(folder / "etcd") as url:
                for number in range(_ROUNDS):
                    ours.append(_add(service, folder, base=number * MANY))
                    theirs.append(_put(url, folder, base=number * 10 * MANY))
                    advance((number + 1) / _ROUNDS)
                _check("etcd", count(url), theirs)
        except Missing as missing:
            result.missing.append(str(missing))
            ours.append(_add(service, folder, base=_ROUNDS * MANY))
        _check("the service", _registrations(service), ours)
    result.columns = ("to", "writes/s", "p50, ms", "p99, ms")
    for who, loads in (("the service", ours), ("etcd", theirs)):
        for one in loads:
            told = (f"{one.rate:,.0f}", f"{one.p50 * 1e3:.1f}", f"{one.p99 * 1e3:.1f}")
            result.rows.append((who, *told))
    if theirs:
        ratio = _median(ours) / _median(theirs)
        result.figures.append(Figure("to etcd put with a lease", ratio, "", "at least", 1.0))


def growing(folder: Path, result: Result, advance: Callable[[float], None]) -> None:
    """The first thousands and the last before a hundred thousand, in turn."""
    full = stocked(folder / "full", {_GROUP: MANY - 4000})
    first, last = [], []
    with (
        running_service(folder / "empty", config=_config(2)) as empty,
        running_service(full, config=_config(2)) as other,
    ):
        for number in range(_ROUNDS):
            first.append(_add(empty, folder, base=number * MANY, seconds=2))
            last.append(_add(other, folder, base=number * MANY + MANY, seconds=2))
            advance((number + 1) / _ROUNDS)
        result.notes.append(f"The full group ended with {_registrations(other):,} entries")
    ratio = _median(last) / _median(first)
    name = "last thousands before 100,000 to the first"
    result.figures.append(Figure(name, ratio, "", "at least", 0.9))
    points = ((0.0, _median(first)), (float(MANY), _median(last)))
    result.pictures.append(
        Picture("Durable Adds", "entries", "Adds a second", (Line("the service", points),), False)
    )


def four_workers(folder: Path, result: Result) -> None:
    """How long four workers wait for each other's commits."""
    with running_service(folder, config=_config(4)) as service:
        found = _add(service, folder, base=0)
        longest = _longest_wait(service)
    name = "longest wait for the file lock, four workers"
    result.figures.append(Figure(name, longest, "ms", "at most", 100.0))
    result.notes.append(f"Four workers took {found.rate:,.0f} Adds a second")


def _config(workers: int) -> str:
    group = plain_groups([_GROUP]) + "max_entries = 10000000\n"
    return f"[server]\nworkers = {workers}\n{group}"


def _median(loads: list[Load]) -> float:
    return statistics.median(one.rate for one in loads)


def _add(service: RunningService, folder: Path, *, base: int, seconds: float = _SECONDS) -> Load:
    return load(
        f"{service.url}/wsrf/services/{_GROUP}",
        folder / "load",
        clients=_CLIENTS,
        seconds=seconds,
        body=soap.envelope(entries.add_body(0, termination="2099-01-01T00:00:00Z")),
        lua=entries.ADDS.format(base=base),
    )


def _put(url: str, folder: Path, *, base: int) -> Load:
    return put(
        url,
        folder,
        leases(url),
        number=f"{base} + count",
        clients=_CLIENTS,
        seconds=_SECONDS,
    )


def _check(who: str, there: int, loads: list[Load]) -> None:
    """Refuse a measurement whose writes are not there; those that were cut off may be."""
    told = sum(one.replies for one in loads)
    if any(one.failed for one in loads) or not told <= there <= told + len(loads) * _CLIENTS:
        raise RuntimeError(f"{who} told of {told} writes and has {there}: {loads}")


def _metrics(service: RunningService) -> str:
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def _registrations(service: RunningService) -> int:
    pattern = rf'aggregator_registrations\{{group="{_GROUP}"\}} (\S+)'
    found = re.search(pattern, _metrics(service))
    assert found
    return int(float(found[1]))


def _longest_wait(service: RunningService) -> float:
    """The bound of the bucket with the longest wait, in milliseconds."""
    text = _metrics(service)
    buckets: dict[float, float] = {}
    for bound, value in _WAITED.findall(text):
        buckets[float(bound)] = buckets.get(float(bound), 0.0) + float(value)
    all_ = buckets[math.inf]
    return min(bound for bound, value in buckets.items() if value == all_) * 1e3
