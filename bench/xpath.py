"""``bench/run xpath``: expressions on 10,000 entries, beside BaseX with its indexes."""

from __future__ import annotations

import http.client
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from bench.figures import Figure, Result
from bench.peers.basex import basex
from bench.stock import plain_groups, stocked
from bench.wrk import Load, load
from bench.xpath_answers import differ
from bench.xpath_queries import FIXED, TARGETS, Form, Query
from tests import soap
from tests.service import running_service

WHAT = "XPath on 10,000 entries, constants that change from request to request"
MANY = 10_000
_GROUP = "Queried"
#: Repeats a run's expressions.
_SEED = "BENCH_SEED"
#: Of each form; each is compared with BaseX's before they are drawn from.
_BODIES = 200
_CLIENTS = 16
_SECONDS = 3.0
_WARM_SECONDS = 10.0
_OURS, _BASEX = "the service", "BaseX"
_LUA = """
local bodies, requests = {{}}, {{}}
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
math.randomseed({seed})
function init()
   for number, body in ipairs(bodies) do requests[number] = wrk.format(nil, nil, nil, body) end
end
function request() return requests[math.random(#requests)] end
"""


class Client:
    """One connection that is kept, to a URL that takes POSTs."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)

    def ask(self, body: bytes) -> bytes:
        """The content of the reply; RuntimeError for another status than 200."""
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        self._connection.request("POST", self._path, body, headers)
        reply = self._connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{body[-500:]!r} is answered with {content[:1000]!r}")
        return content


def document(url: str) -> bytes:
    """A group's resource property document, its bytes as they were sent."""
    reply = soap.query(url, "/").content
    return reply[reply.index(b"<doc:") : reply.rindex(b"</rp:QueryResourcePropertiesResponse>")]


@dataclass(slots=True)
class _Asked:
    """A form with its queries, and its loads by who answered and by the number of clients."""

    form: Form
    queries: list[Query]
    loads: dict[tuple[str, int], list[Load]] = field(default_factory=dict)

    def rate(self, who: str, clients: int) -> float:
        """Replies a second, the median."""
        return statistics.median(one.rate for one in self.loads[who, clients])

    def p50(self, who: str, clients: int) -> float:
        """Milliseconds, the median."""
        return statistics.median(one.p50 for one in self.loads[who, clients]) * 1e3

    @property
    def ratio(self) -> float:
        """Ours to BaseX."""
        return self.rate(_OURS, _CLIENTS) / self.rate(_BASEX, _CLIENTS)


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    seed = int(os.environ.get(_SEED) or Random().randrange(10**6))
    result = Result("xpath", WHAT)
    result.notes.append(f"Drawn with {_SEED}={seed}")
    store = stocked(folder / "store", {_GROUP: MANY})
    with running_service(store, config=plain_groups([_GROUP])) as service:
        url = f"{service.url}/wsrf/services/{_GROUP}"
        with basex(folder / "basex", document(url)) as peer:
            urls = {_OURS: url, _BASEX: peer}
            asked = [
                _Asked(form, form.queries(_BODIES, Random(f"{seed} {form.name}"), MANY))
                for form in FIXED
            ]
            _warm(folder, urls, asked)
            for number, one in enumerate(asked):
                check(one.queries, url, peer)
                advance(0.1 + 0.4 * (number + 1) / len(asked))
            for number, one in enumerate(asked):
                _measure(folder, urls, one)
                advance(0.5 + 0.5 * (number + 1) / len(asked))
    _tell(result, asked)
    return result


def _warm(folder: Path, urls: dict[str, str], asked: list[_Asked]) -> None:
    """Thousands of queries of all forms, which BaseX's virtual machine needs to be at its best."""
    every = [query for one in asked for query in one.queries]
    for who, url in urls.items():
        _load(folder, url, _bodies(who, every), _CLIENTS, _WARM_SECONDS)


def _measure(folder: Path, urls: dict[str, str], one: _Asked) -> None:
    for clients in (_CLIENTS, 1):
        for who, url in urls.items():
            found = _load(folder, url, _bodies(who, one.queries), clients, _SECONDS)
            one.loads.setdefault((who, clients), []).append(found)


def _bodies(who: str, queries: Sequence[Query]) -> list[bytes]:
    return [query.envelope if who == _OURS else query.xquery for query in queries]


def _load(folder: Path, url: str, bodies: list[bytes], clients: int, seconds: float) -> Load:
    file = folder / "bodies"
    file.write_bytes(b"\n".join(bodies))
    lua = _LUA.format(bodies=file, seed=clients)
    found = load(url, folder / "load", clients=clients, seconds=seconds, body=bodies[0], lua=lua)
    if found.failed or not found.replies:
        raise RuntimeError(f"{url} at {clients} clients, {bodies[0]!r}: {found}")
    return found


def _tell(result: Result, asked: list[_Asked]) -> None:
    result.columns = (
        "form",
        "the service, replies/s",
        "BaseX, replies/s",
        "ratio",
        "target",
        "p50 of one client, ms",
        "BaseX, ms",
    )
    for one in asked:
        rates = (f"{one.rate(who, _CLIENTS):,.0f}" for who in (_OURS, _BASEX))
        p50s = (f"{one.p50(who, 1):.2f}" for who in (_OURS, _BASEX))
        target = TARGETS[one.form.category]
        result.rows.append((one.form.name, *rates, f"{one.ratio:.2f}", f"{target:g}", *p50s))
    for target, name in ((3.0, "equality, attribute and count forms"), (0.5, "every other form")):
        ratios = [one.ratio for one in asked if TARGETS[one.form.category] == target]
        figure = Figure(f"to BaseX, lowest of {name}", min(ratios), "", "at least", target)
        result.figures.append(figure)


def check(queries: Sequence[Query], ours: str, peer: str) -> None:
    """Compare every answer with BaseX's; RuntimeError for one that differs."""
    one, other = Client(ours), Client(peer)
    for query in queries:
        found = differ(query.kind, one.ask(query.envelope), other.ask(query.xquery))
        if found:
            raise RuntimeError(f"{query.ours} is answered with {found}")
