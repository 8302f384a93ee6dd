"""What a delivery costs the service in groups of several sizes, in all of which as many are polled.

A client asks for some polled member ten times a second, so that the work of publishing is in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.freshness import asked, check_fresh
from bench.members import Members, Served, marks_in, members
from bench.processes import cpu_seconds
from bench.stock import PLAIN, paths, plain_groups, stocked
from tests import soap
from tests.service import RunningService, running_service

POLLED = 1_000
_MILLIS = 2_000
_GROUP = "Growing"
#: Seconds until all are polled at the beat, and for which it is measured.
_WARM, _SECONDS = 6.0, 10.0
_PAUSE = 0.1
#: Questions after which both workers have been asked.
_ASKED_BEFORE = 30


def deliveries(
    folder: Path, sizes: Iterable[int], *, rounds: int, advance: Callable[[float], None]
) -> dict[int, list[float]]:
    """By size of the group, microseconds of CPU of the service for a delivery, once per round.

    `advance` is told the share that is done.
    """
    costs: dict[int, list[float]] = {size: [] for size in sizes}
    with members(folder / "members", POLLED) as all_:
        stores = {size: _stock(folder / f"polled-{size}", all_, size) for size in costs}
        for number in range(rounds):
            for size, store in stores.items():
                config = plain_groups([_GROUP]) + "max_entries = 10000000\n"
                with running_service(store, config=config) as service:
                    costs[size].append(_cost(all_, service, paths(store, _GROUP)[:POLLED]))
            advance((number + 1) / rounds)
    return costs


def _stock(store: Path, all_: Members, size: int) -> Path:
    stocked(store, {_GROUP: POLLED}, kind=all_.kind(millis=_MILLIS))
    return stocked(store, {_GROUP: size - POLLED}, kind=PLAIN) if size > POLLED else store


def _cost(all_: Members, service: RunningService, polled: list[str]) -> float:
    # A worker reads its group when it is asked for the first time, which is no part of it.
    for path in polled[:_ASKED_BEFORE]:
        soap.get_property(service.url + path, "sg:Content")
    time.sleep(_WARM)
    began, before = time.time(), cpu_seconds(service.process.pid)
    with asked(lambda number: _mark_of(service, polled[number]), POLLED, pause=_PAUSE) as shown:
        time.sleep(_SECONDS)
    ended, after = time.time(), cpu_seconds(service.process.pid)
    served = all_.served(since=began - 2 * _MILLIS / 1000, until=ended)
    check_fresh(shown, served)
    return (after - before) / _between(served, began, ended) * 1e6


def _between(served: list[Served], began: float, ended: float) -> int:
    found = sum(began <= one.at < ended for one in served)
    wanted = POLLED / _MILLIS * 1000 * (ended - began)
    if not 0.9 * wanted < found < 1.1 * wanted:
        raise RuntimeError(f"{found} deliveries instead of {wanted:.0f}")
    return found


def _mark_of(service: RunningService, path: str) -> str:
    answer = soap.get_property(service.url + path, "sg:Content")
    assert answer.status == 200, answer.content[:1000]
    [mark] = marks_in(answer.body).values()
    return mark
