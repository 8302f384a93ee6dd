"""``bench/run xpath``: expressions on 10,000 entries, beside BaseX with its indexes.

Constants change from request to request, so that an answer that was kept proves nothing, and four
of the twelve forms are drawn anew in each run. Of each form so many requests are made, every one
is asked of both and the answers compared, and then clients draw from them.
"""

from __future__ import annotations

import os
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
from bench.xpath_sides import Client, Refused, Sides, sides

WHAT = "XPath on 10,000 entries, constants that change from request to request"
MANY = 10_000
#: Repeats the expressions of a run.
SEED = "BENCH_SEED"
#: Requests of each form.
BODIES = 200
DRAWN = 4
_CLIENTS = 16
#: Of a load, by clients.
SECONDS = {_CLIENTS: 2.0, 1: 1.0}
#: How long requests of a form are compared; clients are given those that were.
COMPARE_SECONDS = 6.0
#: Rounds of all forms after which BaseX's virtual machine gets no faster.
WARM_ROUNDS = 2
#: How long a form is asked of the service before, which makes tables of what comes again and again.
TABLE_SECONDS = 4.0
_COMPARED_AT_ONCE = 2
#: A drawn form whose answers are larger would measure how bytes are sent.
_LARGEST = 256 * 1024
_OURS, _BASEX = "the service", "BaseX"
_LUA = """
local bodies, requests, answers = {{}}, {{}}, {{}}
for line in io.lines("{folder}/bodies") do bodies[#bodies + 1] = line end
local file = io.open("{folder}/answers", "rb")
for length in function() return file:read("*l") end do
   answers[file:read(tonumber(length)) or ""] = true
end
if next(answers) then
   function response(status, headers, body)
      if status == 200 and not answers[body] then wrong = wrong + 1 end
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
    """A form with its queries, and its loads by who answered and by the number of clients.

    `fault` is what the service said where it did not answer: then it counts for nothing.
    """

    form: Form
    queries: list[Query]
    loads: dict[tuple[str, int], Load] = field(default_factory=dict)
    fault: str = ""

    @property
    def target(self) -> float:
        """What the ratio should be."""
        return TARGETS[self.form.category]

    @property
    def ratio(self) -> float:
        """Ours to BaseX."""
        if self.fault:
            return 0.0
        return self.rate(_OURS) / self.rate(_BASEX)

    def rate(self, who: str) -> float:
        """Answers a second; faults are none."""
        found = self.loads[who, _CLIENTS]
        return (found.replies - found.failed) / found.seconds

    @property
    def failed(self) -> int:
        """Requests of clients that the service did not answer."""
        return sum(self.loads[_OURS, clients].failed for clients in SECONDS if not self.fault)

    def row(self) -> tuple[str, ...]:
        """For the table."""
        if self.fault:
            return (self.form.name, "none", "", "0.00", f"{self.target:g}", "", "")
        rates = (f"{self.rate(who):,.0f}" for who in (_OURS, _BASEX))
        p50s = (f"{self.loads[who, 1].p50 * 1e3:.2f}" for who in (_OURS, _BASEX))
        return (self.form.name, *rates, f"{self.ratio:.2f}", f"{self.target:g}", *p50s)


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    seed = int(os.environ.get(SEED) or Random().randrange(10**6))
    result = Result("xpath", WHAT)
    result.notes.append(f"{SEED}={seed} draws the same expressions again")
    try:
        with sides(folder, count=MANY) as both:
            asked = _ask(folder, both, seed, result, advance)
    except RuntimeError as error:
        error.add_note(result.notes[0])
        raise
    _tell(result, asked)
    return result


def _ask(
    folder: Path, both: Sides, seed: int, result: Result, advance: Callable[[float], None]
) -> list[_Asked]:
    forms = [*FIXED, *_drawn_forms(both.basex, seed, result)]
    asked = [
        _Asked(form, form.queries(BODIES, Random(f"{seed} {form.name}"), MANY)) for form in forms
    ]
    _warm(folder, both, asked)
    advance(0.2)
    for number, one in enumerate(asked):
        _measure(folder, both, one)
        advance(0.2 + 0.8 * (number + 1) / len(asked))
    return asked


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
    """Let BaseX compile what it runs, and each web worker make its tables of the fixed forms."""
    for _ in range(WARM_ROUNDS):
        for one in asked:
            seconds = SECONDS[_CLIENTS]
            _load(folder, both, _BASEX, one.queries, clients=_CLIENTS, seconds=seconds)
    for one in asked[: len(FIXED)]:
        _load(folder, both, _OURS, one.queries, clients=_CLIENTS, seconds=TABLE_SECONDS)


def _measure(folder: Path, both: Sides, one: _Asked) -> None:
    try:
        compared = _compare(both, one.queries)
    except Refused as refused:
        if refused.url != both.ours.url:
            raise
        one.fault = f"not answered by the service: {refused}"
        return
    one.queries = [query for query, _, _ in compared]
    for who, answers in (
        (_OURS, [ours for _, ours, _ in compared]),
        (_BASEX, [b for *_, b in compared]),
    ):
        _load(folder, both, who, one.queries, clients=_CLIENTS, seconds=1.0, answers=answers)
    for clients, seconds in SECONDS.items():
        for who in (_OURS, _BASEX):
            found = _load(folder, both, who, one.queries, clients=clients, seconds=seconds)
            one.loads[who, clients] = found
            if who == _BASEX and (found.failed or not found.replies):
                raise RuntimeError(f"BaseX on {one.form.name} at {clients} clients: {found}")


def _compare(both: Sides, queries: Sequence[Query]) -> list[tuple[Query, bytes, bytes]]:
    """Queries with the answers of both; RuntimeError where they differ, Refused where one has none.

    Those are left out for which the time is over.
    """
    end = time.monotonic() + COMPARE_SECONDS

    def compared(some: Sequence[Query]) -> list[tuple[Query, bytes, bytes]]:
        mine = Sides(Client(both.ours.url), Client(both.basex.url))
        found: list[tuple[Query, bytes, bytes]] = []
        for query in some:
            if found and time.monotonic() > end:
                break
            ours, basex = mine.ours.ask(query.envelope), mine.basex.ask(query.xquery)
            if difference := differ(query.kind, ours, basex):
                raise RuntimeError(f"{query.ours} is answered with {difference}")
            found.append((query, ours, basex))
        return found

    parts = [queries[number::_COMPARED_AT_ONCE] for number in range(_COMPARED_AT_ONCE)]
    with ThreadPoolExecutor(_COMPARED_AT_ONCE) as pool:
        return [one for part in pool.map(compared, parts) for one in part]


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
    if found.wrong:
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
        result.rows.append(one.row())
        if len(one.queries) < BODIES:
            result.notes.append(f"{one.form.name}: {len(one.queries)} requests were compared")
        if one.failed:
            result.notes.append(f"{one.form.name}: {one.failed} requests were not answered")
        if one.fault:
            result.notes.append(f"{one.form.name}: {one.fault}")
    for target, name in ((3.0, "equality, attribute and count forms"), (0.5, "every other form")):
        ratios = [one.ratio for one in asked if one.target == target]
        figure = Figure(f"to BaseX, lowest of {name}", min(ratios), "", "at least", target)
        result.figures.append(figure)
    failed = sum(one.failed for one in asked)
    result.figures.append(Figure("requests not answered under load", failed, "", "at most", 0))
