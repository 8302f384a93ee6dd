"""``bench/run probe``: executables run for registrations, beside a bare loop that spawns them.

The executable is as cheap as one can be, so that what is measured is all that is around it. Each
time it prints something else, which is published.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figures import Figure, Result
from bench.metrics import Counts, counts_of, since, total
from bench.peers.spawning import Spawned, spawning
from bench.processes import family_of
from bench.stock import Kind, stocked
from tests import soap
from tests.service import RunningService, running_service

WHAT = "Executables of 2,000 registrations a second, of 200 and of 100; a bare loop spawning them"
#: Registrations, each with one run a second. The most are more than can be run.
FEW, SOME, MANY = 100, 200, 2_000
_GROUP = "Probed"
_PROBE = "small"
_SCRIPT = """#!/bin/sh
echo "<p:load xmlns:p='urn:load' p:member='$1' p:run='$$'/>"
"""
#: Runs at the same time, of both.
_AT_A_TIME = 64
_WARM = 3.0
_SECONDS = {FEW: 20.0, SOME: 20.0, MANY: 8.0}
_ROUNDS = 3
_OURS, _BARE = "the service", "a bare loop"


@dataclass(frozen=True, slots=True)
class _Span:
    """A time of measuring: runs that ended well, and the CPU seconds of the whole service."""

    due: int
    seconds: float
    ended: float
    late: float
    overruns: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.ended / self.seconds


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("probe", WHAT)
    probe = folder / "probes" / _PROBE
    probe.parent.mkdir(mode=0o755)
    probe.write_text(_SCRIPT)
    probe.chmod(0o755)
    stores = {due: _store(folder, probe, due) for due in (FEW, SOME, MANY)}
    advance(0.1)
    bare, ours = [], []
    for number in range(_ROUNDS):
        bare.append(spawning(probe, _address(0), at_a_time=_AT_A_TIME, seconds=_SECONDS[MANY]))
        ours.append(_measure(stores[MANY], probe, MANY))
        advance(0.1 + 0.5 * (number + 1) / _ROUNDS)
    some = _measure(stores[SOME], probe, SOME)
    advance(0.8)
    few = _measure(stores[FEW], probe, FEW)
    _tell(result, bare, [*ours, some, few])
    return result


def _address(number: int) -> str:
    return f"http://127.0.0.1:1/member-{number:06d}"


def _config(probe: Path) -> str:
    return f'[probes]\nfolder = "{probe.parent}"\nmax_concurrent = {_AT_A_TIME}\n'


def _store(folder: Path, probe: Path, due: int) -> Path:
    kind = Kind(
        lambda number: soap.add_body(_address(number), soap.execution_config(_PROBE)),
        lambda number: (_address(number),),
    )
    return stocked(folder / str(due), {_GROUP: due}, kind=kind, config=_config(probe))


def _measure(store: Path, probe: Path, due: int) -> _Span:
    with running_service(store, config=f"{_config(probe)}[groups.{_GROUP}]\n") as service:
        time.sleep(_WARM)
        began, cpu, counts = time.monotonic(), _cpu(service), counts_of(service.url)
        time.sleep(_SECONDS[due])
        grown = since(counts, counts_of(service.url))
        cpu, seconds = _cpu(service) - cpu, time.monotonic() - began
        ended = total(grown, "aggregator_collections_total")
        # Where more are due than can be run, each has its turn nevertheless.
        _check(service, min(due, int(ended)))
    well = total(grown, "aggregator_collections_total", outcome="success")
    if not well or ended != well:
        raise RuntimeError(f"{well} of {ended} runs ended well")
    overruns = total(grown, "aggregator_collection_overruns_total")
    return _Span(due, seconds, well, _late(grown), overruns, cpu)


def _late(grown: Counts) -> float:
    """Runs that began more than a second late."""
    name = "aggregator_collection_lateness_seconds"
    return total(grown, f"{name}_count") - total(grown, f"{name}_bucket", le="1.0")


def _cpu(service: RunningService) -> float:
    """CPU time of the service and of all that it has run."""
    taken = 0.0
    for process in family_of(service.process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            # Those who ended are in what was taken by the children of who waited for them.
            taken += sum(process.cpu_times()[:4])
    return taken


def _check(service: RunningService, least: int) -> None:
    """Refuse a measurement unless so many entries show what was printed of their own member."""
    shown = 0
    for entry in soap.entries(f"{service.url}/wsrf/services/{_GROUP}"):
        address = entry.findtext("{*}MemberServiceEPR/{*}Address") or ""
        printed = [found.get("{urn:load}member") for found in entry.iter("{urn:load}load")]
        if printed not in ([], [address]):
            raise RuntimeError(f"{printed} is shown of {address}")
        shown += len(printed)
    if shown < least:
        raise RuntimeError(f"{shown} entries show what was printed of them, not {least}")


def _tell(result: Result, bare: list[Spawned], ours: list[_Span]) -> None:
    if wrong := sum(one.wrong for one in bare):
        raise RuntimeError(f"the bare loop read {wrong} wrong outputs")
    saturated = [one.rate for one in ours if one.due == MANY]
    ratio = statistics.median(saturated) / statistics.median(one.rate for one in bare)
    [late] = [one.late for one in ours if one.due == FEW]
    result.figures += [
        Figure("to a bare loop, at saturation", ratio, "", "at least", 0.8),
        Figure("runs over 1 s late at 100 a second", late, "", "at most", 0),
    ]
    result.columns = ("who", "due/s", "run/s", "CPU of one, ms", "over 1 s late", "overruns")
    for one in bare:
        cpu = f"{one.cpu / one.ended * 1e3:.2f}"
        result.rows.append((_BARE, "any", f"{one.rate:,.0f}", cpu, "", ""))
    for span in ours:
        cpu = f"{span.cpu / span.ended * 1e3:.2f}"
        told = (f"{span.due:,}", f"{span.rate:,.0f}", cpu, f"{span.late:.0f}")
        result.rows.append((_OURS, *told, f"{span.overruns:.0f}"))
    result.notes.append(
        f"Of the executables {_AT_A_TIME} run at the same time, of both. CPU is that of all "
        "processes, the executables too; for the service what is published and stored too."
    )
