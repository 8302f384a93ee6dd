"""``bench/run full-query``: all entries of a group, beside a static file and a bare application."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import entries
from bench.figures import Figure, Line, Picture, Result
from bench.peers.bare import bare
from bench.peers.nginx import nginx
from bench.processes import Missing
from bench.stock import plain_groups, stocked
from bench.wrk import Load, load
from tests import soap
from tests.service import RunningService, running_service

WHAT = "GetResourceProperty Entry: all entries of a group, 1.85 KB each"
SIZES = (1, 10, 100, 500)
LARGE = 50_000
CLIENTS = (1, 4, 16, 64, 200, 800)
FAMILIES: tuple[soap.Family, ...] = ("oasis", "gt4")
#: Threads of a web worker by default, which the bare application gets too.
_THREADS = 8
_SECONDS = 2.0
#: How often the clients' numbers are gone through; what counts is the median.
_ROUNDS = 3
#: Entries, dialect, clients.
_Case = tuple[int, soap.Family, int]
_OURS, _BARE, _NGINX = "the service", "bare gunicorn", "nginx"


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to the same replies: its name, the URL before their names, whether it takes a body."""

    who: str
    url: str
    takes_body: bool


@dataclass(slots=True)
class _Measured:
    """Rates by who, size, dialect and clients; all that were measured."""

    rates: dict[tuple[str, int, str, int], list[float]] = field(default_factory=dict)

    def add(self, who: str, size: int, family: str, clients: int, rate: float) -> None:
        self.rates.setdefault((who, size, family, clients), []).append(rate)

    def rate(self, who: str, size: int, family: str, clients: int) -> float:
        """The median."""
        return statistics.median(self.rates[who, size, family, clients])


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("full-query", WHAT)
    counts = {_group(size): size for size in (*SIZES, LARGE)}
    store = stocked(folder / "store", counts)
    with running_service(store, config=plain_groups(counts)) as service:
        replies = {
            f"{_group(size)}-{family}": _reply(service, size, family)
            for size in SIZES
            for family in FAMILIES
        }
        with _ways(folder, service, replies, result) as ways:
            measured = _measure(folder, ways, replies, advance)
        alone = load(
            f"{service.url}/wsrf/services/{_group(1)}",
            folder / "alone",
            clients=1,
            seconds=_SECONDS,
            body=entries.all_entries("oasis"),
        )
        large = _megabytes(folder, service, LARGE)
        small = _megabytes(folder, service, 100)
    _tell(result, measured, [way.who for way in ways])
    result.figures += [
        Figure("MB/s at 50,000 entries to that at 100", large / small, "", "at least", 0.8),
        Figure("p50 of one client at 1 entry", alone.p50 * 1e3, "ms", "at most", 1.0),
    ]
    result.notes.append(f"50,000 entries: {large:.0f} MB/s to four clients; 100: {small:.0f} MB/s")
    return result


def _group(size: int) -> str:
    return f"Full{size}"


def _reply(service: RunningService, size: int, family: soap.Family) -> bytes:
    url = f"{service.url}/wsrf/services/{_group(size)}"
    answer = soap.post(url, entries.all_entries(family))
    assert answer.status == 200, answer.content[:1000]
    assert answer.content.count(b"</glue:Cluster>") == size
    return answer.content


@contextlib.contextmanager
def _ways(
    folder: Path, service: RunningService, replies: dict[str, bytes], result: Result
) -> Iterator[list[_Way]]:
    with contextlib.ExitStack() as stack:
        ways = [_Way(_OURS, f"{service.url}/wsrf/services/", True)]
        url = stack.enter_context(bare(folder / "bare", replies, threads=_THREADS))
        ways.append(_Way(_BARE, f"{url}/", True))
        try:
            ways.append(
                _Way(_NGINX, f"{stack.enter_context(nginx(folder / 'nginx', replies))}/", False)
            )
        except Missing as missing:
            result.missing.append(str(missing))
        yield ways


def _measure(
    folder: Path, ways: list[_Way], replies: dict[str, bytes], advance: Callable[[float], None]
) -> _Measured:
    cases: list[_Case] = [(size, family, 16) for size in SIZES for family in FAMILIES]
    cases += _ROUNDS * [(100, "oasis", clients) for clients in CLIENTS]
    measured = _Measured()
    checked = set()
    for number, case in enumerate(cases):
        size, family, clients = case
        for way in ways:
            name = f"{_group(size)}-{family}"
            if (way, name) not in checked:
                checked.add((way, name))
                _load(folder, way, case, 1.0, expected=replies[name])
            found = _load(folder, way, case, _SECONDS)
            _check_sizes(found, len(replies[name]), way, clients)
            measured.add(way.who, size, family, clients, found.rate)
        advance((number + 1) / (len(cases) + 2))
    return measured


def _load(
    folder: Path, way: _Way, case: _Case, seconds: float, expected: bytes | None = None
) -> Load:
    size, family, clients = case
    found = load(
        way.url + _group(size) + ("" if way.who == _OURS else f"-{family}"),
        folder / "load",
        clients=clients,
        seconds=seconds,
        body=entries.all_entries(family) if way.takes_body else b"",
        expected=expected,
    )
    if found.wrong or found.failed or not found.replies:
        raise RuntimeError(f"{way.who} at {size} entries and {clients} clients: {found}")
    return found


def _check_sizes(found: Load, size: int, way: _Way, clients: int) -> None:
    """Refuse a load whose replies can't all have been whole.

    They have a header beside their content; each client was in the middle of one at the end.
    """
    least = found.replies * size
    if not least <= found.bytes <= least + found.replies * 600 + clients * size:
        raise RuntimeError(f"{way.who} sent {found.bytes} bytes in {found.replies} of {size}")


def _megabytes(folder: Path, service: RunningService, size: int) -> float:
    """MB/s to four clients."""
    url = f"{service.url}/wsrf/services/{_group(size)}"
    found = load(
        url,
        folder / "load",
        clients=4,
        seconds=6,
        body=entries.all_entries("oasis"),
        expected=_reply(service, size, "oasis") if size <= max(SIZES) else None,
    )
    if found.wrong or found.failed or not found.replies:
        raise RuntimeError(f"{size} entries to four clients: {found}")
    return found.bytes / found.seconds / 1e6


def _tell(result: Result, measured: _Measured, who: list[str]) -> None:
    rate = measured.rate
    for peer, target in ((_BARE, 0.6), (_NGINX, 0.2)):
        if peer in who:
            ratios = [rate(_OURS, 100, "oasis", n) / rate(peer, 100, "oasis", n) for n in CLIENTS]
            ratio = statistics.median(ratios)
            name = f"to {peer} at 100 entries, median over clients"
            result.figures.append(Figure(name, ratio, "", "at least", target))
    some = [rate(_OURS, 100, "oasis", clients) for clients in CLIENTS if clients >= 4]
    name = "lowest to highest rate, 4 to 800 clients"
    result.figures.append(Figure(name, min(some) / max(some), "", "at least", 0.8))
    result.columns = ("entries", "dialect", "clients", *(f"{one}, replies/s" for one in who))
    cases = dict.fromkeys((size, family, clients) for _, size, family, clients in measured.rates)
    for size, family, clients in cases:
        rates = (f"{rate(one, size, family, clients):,.0f}" for one in who)
        result.rows.append((str(size), family, str(clients), *rates))
    lines = tuple(
        Line(one, tuple((float(n), rate(one, 100, "oasis", n)) for n in CLIENTS)) for one in who
    )
    result.pictures.append(
        Picture("All of 100 entries, 185 KB", "clients", "replies a second", lines)
    )
