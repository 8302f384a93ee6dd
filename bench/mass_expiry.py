"""``bench/run mass-expiry``: 100,000 entries end in one second, while 50 clients go on asking.

They ask by key and by XPath, in the group whose entries end and in another one. When an entry ends
is known to the microsecond: by the host's steady clock, which the store and the clients go by.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import entries
from bench.askers import NUMBER, Asking, Noted, asking, steady
from bench.figures import Figure, Line, Picture, Result
from bench.stock import paths, plain_groups, stocked
from bench.wrk import load
from tests import soap
from tests.service import RunningService, running_service

WHAT = "100,000 entries end in the same second, while 50 clients query them and a neighbour"
MANY, FEW = 100_000, 1_000
_ENDING, _NEIGHBOUR = "Ending", "Neighbour"
_KEY, _XPATH = "by key", "by XPath"
#: Of each of the four kinds; 50 together, with the pause of each between two questions.
_CLIENTS = {_KEY: 13, _XPATH: 12}
_PAUSE = 0.05
#: Seconds from the stocking to the end, and what of it is measured as rest.
_UNTIL, _REST = 120.0, 15.0
#: Seconds after which rows that are still there are waited for no longer.
_PATIENCE = 60.0
_ADDS = 10_000
#: What is asked is warm when so many answers in a row took no longer than that, in seconds.
_QUICK, _AT_ONCE = 20, 0.2
_STEP = 0.5
_MICROSECONDS = 1_000_000
_RP = soap.NS["oasis"]["rp"]
_BODIES = {
    _KEY: f'<rp:GetResourceProperty xmlns:rp="{_RP}" xmlns:sg="{soap.NS["oasis"]["sg"]}">'
    "sg:Content</rp:GetResourceProperty>",
    _XPATH: f'<rp:QueryResourceProperties xmlns:rp="{_RP}"><rp:QueryExpression '
    f'xmlns:glue="{entries.GLUE}" Dialect="{soap.XPATH}">'
    f"//glue:Cluster[@glue:Name='cluster-{NUMBER}']"
    "</rp:QueryExpression></rp:QueryResourceProperties>",
}


@dataclass(frozen=True, slots=True)
class Times:
    """When entries ended, and when their rows were gone, by the steady clock."""

    ends: int
    gone: int

    def rest(self, noted: Sequence[Noted], name: str) -> list[float]:
        """How long replies took before the end."""
        until = self.ends - _MICROSECONDS // 2
        return [one.seconds for one in noted if one.name == name and one.came < until]

    def after(self, noted: Sequence[Noted], name: str) -> list[float]:
        """How long they took from the end until the rows were gone."""
        return [
            one.seconds
            for one in noted
            if one.name == name and one.came >= self.ends and one.sent < self.gone
        ]


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("mass-expiry", WHAT)
    store = stocked(folder / "store", {_NEIGHBOUR: FEW})
    file = store / "aggregator.db"
    ends = steady() + round(_UNTIL * _MICROSECONDS)
    stocked(store, {_ENDING: MANY}, termination=ends + _distance(file))
    advance(0.2)
    config = plain_groups([_ENDING, _NEIGHBOUR]) + "max_entries = 10000000\n"
    with running_service(store, config=config) as service:
        askings = [
            _asking(store, group, how) for group in (_ENDING, _NEIGHBOUR) for how in _CLIENTS
        ]
        _warm(service)
        _sleep_until(ends, less=_REST)
        advance(0.5)
        with asking(service.url, folder, askings, pause=_PAUSE) as noted:
            _sleep_until(ends)
            times = Times(ends, _gone(file))
            time.sleep(1)
        advance(0.8)
        sizes = _refill(service, folder, file)
    check(noted, ends)
    _tell(result, noted, times, sizes)
    return result


@contextlib.contextmanager
def _looking(file: Path) -> Iterator[sqlite3.Connection]:
    """The store, from the outside."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        yield connection


def _distance(file: Path) -> int:
    """How far the store's time is ahead of the steady clock."""
    with _looking(file) as connection:
        [(found,)] = connection.execute("select distance from clock")
    return int(found)


def _name(group: str, how: str) -> str:
    return f"{group} {how}"


def _asking(store: Path, group: str, how: str) -> Asking:
    return Asking(
        _name(group, how),
        clients=_CLIENTS[how],
        count=MANY if group == _ENDING else FEW,
        body=soap.envelope(_BODIES[how]).decode(),
        paths=tuple(paths(store, group)) if how == _KEY else (f"/wsrf/services/{group}",),
        shown="cluster-",
    )


def _warm(service: RunningService) -> None:
    """Ask each kind of question until all workers answer it at once: first they load and index."""
    for group in (_ENDING, _NEIGHBOUR):
        url = f"{service.url}/wsrf/services/{group}"
        quick = 0
        while quick < _QUICK:
            began = time.monotonic()
            soap.post(url, soap.envelope(_BODIES[_XPATH]), timeout=120)
            quick = quick + 1 if time.monotonic() - began < _AT_ONCE else 0


def _sleep_until(instant: int, *, less: float = 0.0) -> None:
    left = (instant - steady()) / _MICROSECONDS - less
    if left < 0:
        raise RuntimeError(f"this machine is too slow: it is {-left:.1f} s late")
    time.sleep(left)


def _gone(file: Path) -> int:
    """Wait until no row of an entry that ended is left; when that was."""
    deadline = time.monotonic() + _PATIENCE
    with _looking(file) as connection:
        while time.monotonic() < deadline:
            [(left,)] = connection.execute("select count(*) from entries")
            at = steady()
            if left == FEW:
                for table in ("entry_state", "entry_health", "entry_data"):
                    [(left,)] = connection.execute(f"select count(*) from {table}")
                    assert left == FEW, (table, left)
                return at
            time.sleep(0.05)
    raise RuntimeError(f"{left - FEW} rows are left after {_PATIENCE} s")


@dataclass(frozen=True, slots=True)
class _Size:
    """Bytes of the file, and how many of them are free."""

    whole: int
    free: int


def _size(file: Path) -> _Size:
    with _looking(file) as connection:
        size, pages, free = (
            connection.execute(f"pragma {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
    return _Size(size * pages, size * free)


def _refill(service: RunningService, folder: Path, file: Path) -> tuple[_Size, _Size]:
    """The file when the rows are gone, and after Adds of others."""
    before = _size(file)
    added = 0
    while added < _ADDS:
        found = load(
            f"{service.url}/wsrf/services/{_ENDING}",
            folder / "load",
            clients=16,
            seconds=3,
            body=soap.envelope(entries.add_body(0)),
            lua=entries.ADDS.format(base=200_000 + added),
        )
        if found.failed or not found.replies:
            raise RuntimeError(f"Adds: {found}")
        added += found.replies
    return before, _size(file)


def check(noted: Sequence[Noted], ends: int) -> None:
    """Refuse a measurement in which an entry was not shown before its end, or at all."""
    wrong = [
        one
        for one in noted
        if not one.is_shown
        and (one.came < ends or (one.name.startswith(_NEIGHBOUR) and not one.refusal))
    ]
    if wrong:
        raise RuntimeError(f"{len(wrong)} replies lack what is there: {wrong[:3]}")


def late(noted: Sequence[Noted], ends: int) -> int:
    """How many replies to requests that were sent after the end show what had ended."""
    return sum(one.is_shown and one.sent >= ends for one in noted if one.name.startswith(_ENDING))


def _p99(seconds: Sequence[float]) -> float:
    """Milliseconds that 99 of a hundred did not exceed."""
    return statistics.quantiles(seconds, n=100)[-1] * 1e3


def _tell(result: Result, noted: Sequence[Noted], times: Times, sizes: tuple[_Size, _Size]) -> None:
    result.columns = ("group", "p50, p99 at rest, ms", "p50, p99 after the end, ms", "longest, ms")
    refused = [one.refusal for one in noted if one.refusal]
    result.figures += [
        Figure("served late", late(noted, times.ends), "", "at most", 0),
        Figure("refused", len(refused), "", "at most", 0),
    ]
    result.notes += refused[:1]
    for name in (_name(group, how) for group in (_ENDING, _NEIGHBOUR) for how in _CLIENTS):
        rest, after = times.rest(noted, name), times.after(noted, name)
        if name.startswith(_NEIGHBOUR):
            target = max(2 * _p99(rest), _p99(rest) + 20)
            result.figures.append(Figure(f"p99, {name}", _p99(after), "ms", "at most", target))
        told = (f"{statistics.median(of) * 1e3:.1f}, {_p99(of):.1f}" for of in (rest, after))
        result.rows.append((name, *told, f"{max(after) * 1e3:.0f}"))
    before, filled = sizes
    gone = (times.gone - times.ends) / _MICROSECONDS
    result.figures += [
        Figure("rows gone after", gone, "s", "at most", 10),
        Figure(
            f"the file after {_ADDS:,} Adds to before", filled.whole / before.whole, "",
            "at most", 1.0,
        ),
    ]  # fmt: skip
    result.notes.append(
        f"When the rows were gone, {before.free / 1e6:.0f} MB of {before.whole / 1e6:.0f} MB were "
        f"free; after the Adds, {filled.free / 1e6:.0f} MB of {filled.whole / 1e6:.0f} MB."
    )
    result.pictures.append(_picture(noted, times))


def _picture(noted: Sequence[Noted], times: Times) -> Picture:
    """The longest reply in each half second."""
    lines = []
    for name in sorted({one.name for one in noted}):
        longest: dict[float, float] = {}
        for one in noted:
            if one.name == name:
                at = (one.sent - times.ends) / _MICROSECONDS // _STEP * _STEP
                longest[at] = max(longest.get(at, 0.0), one.seconds * 1e3)
        lines.append(Line(name, tuple(sorted(longest.items()))))
    return Picture("Longest replies", "seconds after the end", "ms", tuple(lines), log=False)
