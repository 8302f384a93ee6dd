"""``bench/run growth``: what an Add, a renewal and a read of one entry cost as a group grows."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench import entries
from bench.deliveries import deliveries
from bench.figures import Figure, Line, Picture, Result
from bench.processes import Missing, cpu_seconds
from bench.stock import paths, plain_groups, stocked
from bench.wrk import Load, load
from tests import soap
from tests.service import RunningService, running_service

WHAT = "CPU time of a request and of a delivery, in groups of three sizes"
SIZES = (1_000, 10_000, 100_000)
_GROUP = "Growing"
_DELIVERY = "delivery"
_CLIENTS = 8
_SECONDS = 3.0
_ROUNDS = 3
_OF_ONE = """
local paths = {{}}
for line in io.lines("{paths}") do paths[#paths + 1] = line end
math.randomseed({seed})
function request() return wrk.format(nil, paths[math.random(#paths)]) end
"""


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("growth", WHAT)
    costs: dict[tuple[str, int], list[float]] = {}
    # Deliveries are measured by themselves, in the last part of the time.
    with ExitStack() as stack:
        services = {}
        for size in SIZES:
            store = stocked(folder / str(size), {_GROUP: size})
            (folder / f"{size}.paths").write_text("\n".join(paths(store, _GROUP)) + "\n")
            config = plain_groups([_GROUP]) + "max_entries = 10000000\n"
            services[size] = stack.enter_context(running_service(store, config=config))
        advance(0.1)
        steps = _ROUNDS * len(_WORK) * len(SIZES)
        # Adds come last, since they make the groups grow.
        for name in _WORK:
            for seed in range(_ROUNDS):
                for size, service in services.items():
                    cost = _cost(service, folder, name, size, seed)
                    costs.setdefault((name, size), []).append(cost)
                    advance(0.1 + 0.4 * sum(map(len, costs.values())) / steps)
    try:
        found = deliveries(folder, SIZES, rounds=2, advance=lambda done: advance(0.5 + done / 2))
        costs |= {(_DELIVERY, size): several for size, several in found.items()}
    except Missing as missing:
        result.missing.append(f"deliveries: {missing}")
    _tell(result, {case: statistics.median(found) for case, found in costs.items()})
    return result


def _cost(service: RunningService, folder: Path, name: str, size: int, seed: int) -> float:
    """Microseconds of CPU of the service for one request."""
    before = cpu_seconds(service.process.pid)
    found: Load = load(
        f"{service.url}/wsrf/services/{_GROUP}",
        folder / "load",
        clients=_CLIENTS,
        seconds=_SECONDS,
        body=soap.envelope(_WORK[name][0]),
        lua=_WORK[name][1].format(
            seed=seed, base=200_000 + 20_000 * seed, paths=folder / f"{size}.paths"
        ),
    )
    if found.failed or not found.replies:
        raise RuntimeError(f"{name} at {size}: {found}")
    return (cpu_seconds(service.process.pid) - before) / found.replies * 1e6


_RL = soap.NS["oasis"]["rl"]
_RP = soap.NS["oasis"]["rp"]
_WORK = {
    "read of one": (
        f'<rp:GetResourceProperty xmlns:rp="{_RP}" xmlns:rl="{_RL}">rl:TerminationTime'
        "</rp:GetResourceProperty>",
        _OF_ONE,
    ),
    "renewal": (
        f'<rl:SetTerminationTime xmlns:rl="{_RL}"><rl:RequestedTerminationTime>'
        "2099-01-01T00:00:00Z</rl:RequestedTerminationTime></rl:SetTerminationTime>",
        _OF_ONE,
    ),
    "Add": (entries.add_body(0, termination="2099-01-01T00:00:00Z"), entries.ADDS),
}


def _tell(result: Result, costs: dict[tuple[str, int], float]) -> None:
    result.columns = ("request", *(f"{size:,} entries, µs" for size in SIZES))
    names = list(dict.fromkeys(name for name, _ in costs))
    for name in names:
        result.rows.append((name, *(f"{costs[name, size]:,.0f}" for size in SIZES)))
        ratio = costs[name, SIZES[-1]] / costs[name, SIZES[0]]
        result.figures.append(Figure(f"{name} at 100,000 to 1,000", ratio, "", "at most", 1.2))
    lines = tuple(
        Line(name, tuple((float(size), costs[name, size]) for size in SIZES)) for name in names
    )
    result.pictures.append(Picture("CPU of a request", "entries", "microseconds", lines))
