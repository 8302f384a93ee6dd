"""``bench/run memory``: what a hundred thousand entries hold, after queries in both dialects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil

from bench import entries
from bench.figures import Figure, Result
from bench.processes import family_of
from bench.stock import plain_groups, stocked
from tests import soap
from tests.service import RunningService, running_service

WHAT = "Memory of a service with two workers and 100,000 entries of 1.85 KB"
MANY = 100_000
_GROUP = "Large"
_FAMILIES: tuple[soap.Family, ...] = ("oasis", "gt4")
#: What a process may have for itself.
_EACH = 60e6
#: Queries over connections of their own: enough for each worker to get some.
_QUERIES = 6


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("memory", WHAT)
    result.columns = ("when", "processes", "PSS, MB", "bytes for a byte of XML")
    store = stocked(folder / "store", {_GROUP: MANY})
    advance(0.2)
    with running_service(store, config=plain_groups([_GROUP])) as service:
        _add_row(result, service, "at the start", 0)
        size = 0
        for number, family in enumerate(_FAMILIES):
            sizes = [_query(service, family) for _ in range(_QUERIES)]
            assert len(set(sizes)) == 1, sizes
            size = size or sizes[0]
            _add_row(result, service, f"after all entries in {family}", size)
            advance(0.2 + 0.2 * (number + 1))
        before = _held(service)
        result.figures.append(
            Figure(
                "bytes for a byte of XML, past 60 MB a process",
                (before - _EACH * len(family_of(service.process.pid))) / size,
                "",
                "at most",
                4.0,
            )
        )
        for number, family in enumerate(_FAMILIES):
            _xpath(service, family)
            _add_row(result, service, f"after an XPath in {family}", size)
            advance(0.6 + 0.2 * (number + 1))
        more = (_held(service) - before) / size / len(_FAMILIES)
        name = "more for each dialect that XPath was asked in"
        result.figures.append(Figure(name, more, "", "at most", 10.0))
    return result


def _query(service: RunningService, family: soap.Family) -> int:
    url = f"{service.url}/wsrf/services/{_GROUP}"
    answer = soap.post(url, entries.all_entries(family), timeout=120)
    assert answer.status == 200, answer.content[:1000]
    assert answer.content.count(b"</glue:Cluster>") == MANY
    return len(answer.content)


def _xpath(service: RunningService, family: soap.Family) -> None:
    """Ask until the tree is there: the first question may end while it is built."""
    url = f"{service.url}/wsrf/services/{_GROUP}"
    for _ in range(10):
        answer = soap.query(url, "count(//*[local-name()='Cluster'])", family=family)
        if answer.status == 200:
            assert answer.body.text == str(MANY)
            return
    raise AssertionError(answer.content[:1000])


def _held(service: RunningService) -> float:
    """The sum of PSS of all processes: what is shared counts once."""
    total = 0
    for process in family_of(service.process.pid):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return float(total)


def _add_row(result: Result, service: RunningService, when: str, size: int) -> None:
    held, processes = _held(service), len(family_of(service.process.pid))
    ratio = f"{held / size:.2f}" if size else ""
    result.rows.append((when, str(processes), f"{held / 1e6:,.0f}", ratio))
