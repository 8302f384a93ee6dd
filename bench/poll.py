"""``bench/run poll``: 5,000 members polled every 5 s, beside Prometheus scraping as many targets.

Both ask one nginx, over one connection to each member that stays open. Meanwhile a client asks them
once a second for what some member said last, so that the work of publishing is in it.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from bench.figures import Figure, Result
from bench.freshness import Shown, asked, check_fresh
from bench.members import Members, Served, marks_in, members
from bench.metrics import Counts, at_most, counts_of, since, total
from bench.peers.prometheus import Prometheus, prometheus
from bench.processes import Missing, cpu_seconds
from bench.stock import paths, stocked
from tests import soap
from tests.service import RunningService, running_service

WHAT = "5,000 members polled every 5 s for 1.5 KB; 5,000 targets of 30 samples scraped as often"
MANY = 5_000
INTERVAL = 5
_GROUP = "Polled"
#: Seconds until all are asked at the beat, and for which it is measured by what members say.
_WARM = 16.0
_DIFFERS, _STAYS = "differs each time", "stays"
_SECONDS = {_DIFFERS: 40.0, _STAYS: 20.0}
_THEIRS, _COLLECTOR, _SERVICE = "Prometheus", "the collector", "the whole service"


class _Side(Protocol):
    """Who asks the members."""

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by who took them."""

    def mark_of(self, number: int) -> str:
        """The mark that is shown of a member."""

    def marks(self) -> dict[int, str]:
        """The marks that are shown of all members."""


@dataclass(frozen=True, slots=True)
class _Theirs:
    peer: Prometheus

    def cpu(self) -> dict[str, float]:
        return {_THEIRS: cpu_seconds(self.peer.pid)}

    def mark_of(self, number: int) -> str:
        return self._shown(f',number="{number}"')[number]

    def marks(self) -> dict[int, str]:
        up = self.peer.ask("up")
        assert sum(map(float, up.values())) == MANY, up
        return self._shown("")

    def _shown(self, more: str) -> dict[int, str]:
        found = self.peer.ask(f'node_cpu_total{{part="cpu-1"{more}}}')
        return {int(number): mark for number, mark in found.items()}


@dataclass(frozen=True, slots=True)
class _Ours:
    service: RunningService
    entries: Sequence[str]

    def cpu(self) -> dict[str, float]:
        pid = self.service.process.pid
        return {_COLLECTOR: cpu_seconds(pid, role="mds-collector"), _SERVICE: cpu_seconds(pid)}

    def mark_of(self, number: int) -> str:
        return self._shown(self.entries[number], "sg:Content")[number]

    def marks(self) -> dict[int, str]:
        return self._shown(f"/wsrf/services/{_GROUP}", "sg:Entry")

    def _shown(self, path: str, name: str) -> dict[int, str]:
        answer = soap.get_property(self.service.url + path, name)
        assert answer.status == 200, answer.content[:1000]
        return marks_in(answer.body)


@dataclass(frozen=True, slots=True)
class _Span:
    """A time of measuring: by who, the CPU seconds for 1,000 replies; how many came in a second.

    `drift` is what 99 of 100 times between two replies of a member were off the interval at most.
    """

    content: str
    cpu: dict[str, float]
    rate: float
    drift: float


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("poll", WHAT)
    spans: list[_Span] = []
    with members(folder / "members", MANY) as all_:
        try:
            targets = [(all_.target(number), all_.path(number)) for number in range(MANY)]
            with prometheus(folder / "prometheus", targets, interval=INTERVAL) as peer:
                spans += _spans(all_, _Theirs(peer))
        except Missing as missing:
            result.missing.append(str(missing))
        advance(0.5)
        store = stocked(folder / "store", {_GROUP: MANY}, kind=all_.kind(millis=INTERVAL * 1000))
        with running_service(store, config=f"[groups.{_GROUP}]\n") as service:
            ours = _Ours(service, paths(store, _GROUP))
            counts: list[Counts] = []
            spans += _spans(all_, ours, look=lambda: counts.append(counts_of(service.url)))
    _tell(result, spans, since(*counts))
    return result


def _spans(
    all_: Members, side: _Side, *, look: Callable[[], None] = lambda: None
) -> Iterator[_Span]:
    """Measure one side; `look` is called once it is warm and at the end."""
    all_.be_still(False)
    time.sleep(_WARM)
    look()
    for content, seconds in _SECONDS.items():
        if content == _STAYS:
            all_.be_still(True)
            time.sleep(INTERVAL + 2)
        yield _span(all_, side, content, seconds)
    look()


def _span(all_: Members, side: _Side, content: str, seconds: float) -> _Span:
    began, before = time.time(), side.cpu()
    with asked(side.mark_of, MANY) as shown:
        time.sleep(seconds)
    ended, after = time.time(), side.cpu()
    at = time.time()
    shown += (Shown(at, number, mark) for number, mark in side.marks().items())
    served = all_.served(until=time.time())
    check_fresh(shown, served)
    assert len({one.number for one in shown[-MANY:]}) == MANY
    replies = sum(began <= one.at < ended for one in served)
    return _Span(
        content,
        {who: (after[who] - before[who]) / replies * 1000 for who in after},
        replies / (ended - began),
        _drift([one for one in served if began - INTERVAL <= one.at < ended]),
    )


def _drift(served: Sequence[Served]) -> float:
    times: dict[int, list[float]] = defaultdict(list)
    for one in served:
        times[one.number].append(one.at)
    off = [
        abs(after - before - INTERVAL)
        for several in times.values()
        for before, after in pairwise(several)
    ]
    return statistics.quantiles(off, n=100)[-1]


def _tell(result: Result, spans: Sequence[_Span], counts: Counts) -> None:
    collections = total(counts, "aggregator_collections_total")
    assert collections == total(counts, "aggregator_collections_total", outcome="success")
    theirs = {one.content: one.cpu[_THEIRS] for one in spans if _THEIRS in one.cpu}
    result.columns = ("who", "what members say", "replies/s", "off the beat, p99", "CPU s", "ratio")
    for one in spans:
        for who, cpu in one.cpu.items():
            ratio = cpu / theirs[one.content] if theirs else None
            told = (f"{one.rate:,.0f}", f"{one.drift * 1e3:.0f} ms", f"{cpu:.3f}")
            result.rows.append((who, one.content, *told, "" if ratio is None else f"{ratio:.2f}"))
            if who == _COLLECTOR and one.content == _DIFFERS and ratio is not None:
                name = "CPU of a collection to that of a scrape"
                result.figures.append(Figure(name, ratio, "", "at most", 0.5))
    overruns = total(counts, "aggregator_collection_overruns_total")
    lateness = at_most(counts, "aggregator_collection_lateness_seconds", 0.99)
    result.figures += [
        Figure("overruns", overruns, "", "at most", 0.0),
        Figure("p99 of lateness, at most", lateness, "s", "at most", 0.5),
    ]
    result.notes.append("CPU seconds are for 1,000 replies, the ratio is to those of Prometheus")
