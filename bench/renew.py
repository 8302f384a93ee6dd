"""``bench/run renew``: durable renewals, beside etcd's puts with a lease and its keep-alives."""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure, Result
from bench.peers.etcd import ask, count, etcd, keep_alive, leases, put
from bench.processes import Missing
from bench.stock import paths, plain_groups, stocked
from bench.wrk import Load, load
from tests import soap
from tests.service import RunningService, running_service

WHAT = "Durable SetTerminationTime by 64 clients over 50,000 entries"
MANY = 50_000
_GROUP = "Renewed"
_CLIENTS = 64
_SECONDS = 8.0
_ROUNDS = 3
#: Each request goes to an entry drawn at random, and asks for a time of its own.
_RENEWALS = """
local paths = {{}}
for line in io.lines("{paths}") do paths[#paths + 1] = line end
local head, tail = wrk.body:match("^(.*)2099%-01%-01T00:00:00Z(.*)$")
local number = 0
math.randomseed({seed})
function request()
   number = number + 1
   local time = string.format("2099-01-%02dT%02d:%02d:%02dZ", 1 + math.floor(number / 86400) % 28,
      math.floor(number / 3600) % 24, math.floor(number / 60) % 60, number % 60)
   return wrk.format(nil, paths[math.random(#paths)], nil, head .. time .. tail)
end
"""


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("renew", WHAT)
    store = stocked(folder / "store", {_GROUP: MANY})
    file = folder / "paths"
    file.write_text("".join(f"{path}\n" for path in paths(store, _GROUP)))
    loads: dict[str, list[Load]] = {"the service": []}
    with running_service(store, config=plain_groups([_GROUP])) as service:
        try:
            with etcd(folder / "etcd") as url:
                loads |= {"etcd put with a lease": [], "etcd keep-alive": []}
                granted = leases(url)
                at_random = f"math.random({MANY})"
                for number in range(_ROUNDS):
                    loads["the service"].append(_renew(service, folder, file, number))
                    loads["etcd put with a lease"].append(
                        put(
                            url,
                            folder,
                            granted,
                            number=at_random,
                            clients=_CLIENTS,
                            seconds=_SECONDS,
                        )
                    )
                    loads["etcd keep-alive"].append(
                        keep_alive(url, folder, granted, clients=_CLIENTS, seconds=_SECONDS)
                    )
                    advance((number + 1) / _ROUNDS)
                _check_etcd(url, loads["etcd put with a lease"], granted)
        except Missing as missing:
            result.missing.append(str(missing))
            loads["the service"].append(_renew(service, folder, file, 0))
        _check(service, store, loads["the service"])
    _tell(result, loads)
    return result


def _renew(service: RunningService, folder: Path, file: Path, seed: int) -> Load:
    rl = soap.NS["oasis"]["rl"]
    body = (
        f'<rl:SetTerminationTime xmlns:rl="{rl}"><rl:RequestedTerminationTime>'
        "2099-01-01T00:00:00Z</rl:RequestedTerminationTime></rl:SetTerminationTime>"
    )
    return load(
        service.url,
        folder / "load",
        clients=_CLIENTS,
        seconds=_SECONDS,
        body=soap.envelope(body),
        lua=_RENEWALS.format(paths=file, seed=seed),
    )


def _check(service: RunningService, store: Path, loads: list[Load]) -> None:
    """Refuse a measurement whose renewals are not in the store, one for each reply."""
    told = sum(one.replies for one in loads)
    with sqlite3.connect(store / "aggregator.db") as connection:
        [(renewed, versions)] = connection.execute(
            "select count(*), sum(version - 1) from entry_state where termination is not null"
        )
    connection.close()
    if any(one.failed for one in loads) or not told <= versions <= told + len(loads) * _CLIENTS:
        raise RuntimeError(f"told of {told} renewals, {versions} of {renewed} are there: {loads}")


def _check_etcd(url: str, puts: list[Load], granted: list[str]) -> None:
    told = sum(one.replies for one in puts)
    revision = int(ask(url, "/v3/kv/range", key="a2V5")["header"]["revision"])
    alive = int(ask(url, "/v3/lease/timetolive", ID=granted[0])["TTL"])
    if any(one.failed for one in puts) or not told <= revision or alive <= 0 or not count(url):
        raise RuntimeError(f"etcd told of {told} puts and is at revision {revision}")


def _tell(result: Result, loads: dict[str, list[Load]]) -> None:
    rates = {who: statistics.median(one.rate for one in all_) for who, all_ in loads.items()}
    for who, target in (("etcd put with a lease", 1.5), ("etcd keep-alive", 0.4)):
        if who in rates:
            ratio = rates["the service"] / rates[who]
            result.figures.append(Figure(f"to {who}", ratio, "", "at least", target))
    result.columns = ("to", "renewals/s", "p50, ms", "p99, ms")
    for who, all_ in loads.items():
        for one in all_:
            told = (f"{one.rate:,.0f}", f"{one.p50 * 1e3:.1f}", f"{one.p99 * 1e3:.1f}")
            result.rows.append((who, *told))
