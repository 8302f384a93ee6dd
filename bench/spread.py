"""Whether polls after a restart are spread over their interval, by what members saw of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.members import Members, Served, members
from bench.processes import family_of
from bench.stock import stocked
from tests.service import RunningService, start_service

MANY = 5_000
INTERVAL = 5
_GROUP = "Polled"
#: Seconds until every member was polled at the beat.
_WARM = 2.5 * INTERVAL
#: Polls are counted in spans of this many seconds.
_SPAN = 0.5


@dataclass(frozen=True, slots=True)
class Spread:
    """Polls of the first two intervals after a restart.

    `first` is how many seconds after the start of the process the first came, `busiest` the most
    that came in half a second, as a share of what an even spread gives; `polled` how many members
    were polled in the first interval, or up to half a second later: a poll may be that late.
    """

    first: float
    busiest: float
    polled: int


def spread_after_restart(folder: Path) -> Spread:
    """Kill a service that polls 5,000 members every 5 s, start it again and look on."""
    with members(folder / "members", MANY) as all_:
        store = stocked(folder / "store", {_GROUP: MANY}, kind=all_.kind(millis=INTERVAL * 1000))
        service = start_service(store, config=f"[groups.{_GROUP}]\n")
        try:
            time.sleep(_WARM)
            kill(service)
            began = time.time()
            service = start_service(store, config=f"[groups.{_GROUP}]\n")
            return _seen(all_, began)
        finally:
            kill(service)


def _seen(all_: Members, began: float) -> Spread:
    while not (served := all_.served(since=began)):
        pass
    first = min(one.at for one in served)
    until = first + 2 * INTERVAL
    time.sleep(max(0.0, until - time.time()))
    return spread_of(all_.served(since=first, until=until), began)


def spread_of(served: Sequence[Served], began: float) -> Spread:
    """How polls are spread, the first of which is where the intervals begin."""
    first = min(one.at for one in served)
    spans = Counter(int((one.at - first) // _SPAN) for one in served)
    even = MANY / INTERVAL * _SPAN
    polled = {one.number for one in served if one.at < first + INTERVAL + _SPAN}
    return Spread(first - began, max(spans.values()) / even, len(polled))


def kill(service: RunningService) -> None:
    """End a service and all its processes as a power cut would."""
    family = family_of(service.process.pid)
    service.kill()
    for process in family:
        process.wait(15)
