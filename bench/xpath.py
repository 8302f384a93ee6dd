"""``bench/run xpath``: expressions on 10,000 entries, beside BaseX with its indexes.

Constants change from request to request, so that an answer that was kept proves nothing, and four
of the twelve forms are drawn anew in each run. Of each form so many requests are made, every one
is asked of both and the answers compared, and then clients draw from them.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.figures import Figure, Result
from bench.wrk import Load, load
from bench.xpath_answers import differ
from bench.xpath_grammar import KINDS, drawn
from bench.xpath_queries import FIXED, TARGETS, Form, Query
from bench.xpath_sides import Client, Sides, sides

WHAT = "XPath on 10,000 entries, constants that change from request to request"
MANY = 10_000
#: Repeats the expressions of a run.
SEED = "BENCH_SEED"
#: Requests of each form.
BODIES = 200
DRAWN = 4
SECONDS = 2.0
WARM_SECONDS = 10.0
_CLIENTS = 16
_CHECKED_AT_ONCE = 4
#: A drawn form whose answers are larger would measure how bytes are sent.
_LARGEST = 256 * 1024
_OURS, _BASEX = "the service", "BaseX"
_LUA = """
local bodies, requests, answers = {{}}, {{}}, {{}}
for line in io.lines("{folder}/bodies") do bodies[#bodies + 1] = line end
local file = io.open("{folder}/answers", "rb")
for length in function() return file:read("*l") end do
   answers[file:read(tonumber(length))] = true
end
if next(answers) then
   function response(status, headers, body)
      if not answers[body] then wrong = wrong + 1 end
   end
end
math.randomseed({seed})
function init()
   for number, body in ipairs(bodies) do requests[number] = wrk.format(nil, nil, nil, body) end
end
function request() return requests[math.random(#requests)] end
"""


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
    seed = int(os.environ.get(SEED) or Random().randrange(10**6))
    result = Result("xpath", WHAT)
    result.notes.append(f"{SEED}={seed} draws the same expressions again")
    with sides(folder, count=MANY) as both:
        forms = [*FIXED, *_drawn_forms(both.basex, seed, result)]
        asked = [
            _Asked(form, form.queries(BODIES, Random(f"{seed} {form.name}"), MANY))
            for form in forms
        ]
        _warm(folder, both, asked)
        for number, one in enumerate(asked):
            _measure(folder, both, one)
            advance((number + 1) / len(asked))
    _tell(result, asked)
    return result


def _drawn_forms(basex: Client, seed: int, result: Result) -> list[Form]:
    """Forms of different kinds, whose answers differ by their constants and are not very large."""
    draw = Random(seed)
    found = []
    for number, kind in enumerate(draw.sample(list(KINDS), DRAWN)):
        form = drawn(draw, kind)
        while not _is_worth_asking(form, basex, Random(seed)):
            form = drawn(draw, kind)
        name = f"drawn {number + 1}: {kind}"
        result.notes.append(f"{name} ({form.category}): {form.name}")
        found.append(Form(name, form.category, form.templates))
    return found


def _is_worth_asking(form: Form, basex: Client, draw: Random) -> bool:
    answers = set()
    for query in form.queries(12, draw, MANY):
        began = time.monotonic()
        answers.add(basex.ask(query.xquery))
        if time.monotonic() - began > 1.0:
            return False
    return len(answers) > 1 and all(len(one) <= _LARGEST for one in answers)


def _warm(folder: Path, both: Sides, asked: list[_Asked]) -> None:
    """Thousands of queries of all forms, which BaseX's virtual machine needs to be at its best."""
    every = [query for one in asked for query in one.queries]
    for who in (_OURS, _BASEX):
        _load(folder, both, who, every, clients=_CLIENTS, seconds=WARM_SECONDS)


def _measure(folder: Path, both: Sides, one: _Asked) -> None:
    answers = _answers(both, one.queries)
    for number, who in enumerate((_OURS, _BASEX)):
        expected = [pair[number] for pair in answers]
        _load(folder, both, who, one.queries, clients=_CLIENTS, seconds=1.0, answers=expected)
    for clients in (_CLIENTS, 1):
        for who in (_OURS, _BASEX):
            found = _load(folder, both, who, one.queries, clients=clients, seconds=SECONDS)
            one.loads.setdefault((who, clients), []).append(found)


def _answers(both: Sides, queries: Sequence[Query]) -> list[tuple[bytes, bytes]]:
    """Every answer of both; RuntimeError where they differ."""

    def compared(some: Sequence[Query]) -> list[tuple[bytes, bytes]]:
        mine = Sides(Client(both.ours.url), Client(both.basex.url))
        found = []
        for query in some:
            found.append((mine.ours.ask(query.envelope), mine.basex.ask(query.xquery)))
            difference = differ(query.kind, *found[-1])
            if difference:
                raise RuntimeError(f"{query.ours} is answered with {difference}")
        return found

    parts = [queries[number::_CHECKED_AT_ONCE] for number in range(_CHECKED_AT_ONCE)]
    with ThreadPoolExecutor(_CHECKED_AT_ONCE) as pool:
        return [pair for part in pool.map(compared, parts) for pair in part]


def _load(
    folder: Path,
    both: Sides,
    who: str,
    queries: Sequence[Query],
    *,
    clients: int,
    seconds: float,
    answers: Sequence[bytes] = (),
) -> Load:
    """Draw from `queries`; with `answers` each reply must be one of them."""
    bodies = [query.envelope if who == _OURS else query.xquery for query in queries]
    (folder / "bodies").write_bytes(b"\n".join(bodies))
    (folder / "answers").write_bytes(b"".join(b"%d\n%b" % (len(one), one) for one in answers))
    found = load(
        both.ours.url if who == _OURS else both.basex.url,
        folder / "load",
        clients=clients,
        seconds=seconds,
        body=bodies[0],
        lua=_LUA.format(folder=folder, seed=clients),
    )
    if found.wrong or found.failed or not found.replies:
        raise RuntimeError(f"{who} at {clients} clients, {bodies[0]!r}: {found}")
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
