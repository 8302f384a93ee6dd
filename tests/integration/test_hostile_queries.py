"""Expressions that would run for minutes cost nobody else more than a moment."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psutil
import pytest

from tests import soap
from tests.integration.timing import BestOfThree, Caller
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.waiting import until

pytestmark = pytest.mark.alone

# Marks of their own: parametrized together with something else, each test would start a service.
on_sqlite = pytest.mark.parametrize("service", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize(
    "service", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
TIMEOUT = 4.0
CONFIG = f"[query]\ntimeout = '{TIMEOUT:g}s'\n"
ENTRIES = 400
#: What one may wait longer than at rest, in seconds.
PLAIN_GRACE, CHEAP_GRACE = 0.1, 0.2
NESTED = "count(" + "//*[" * 30 + "//*" + "]" * 30 + ")"
HOSTILE = {
    "quadratic": "count(//*[count(//*[count(//*) > 1]) > 1])",
    "following": "//*[following::*[preceding::*[following::*]]]",
    "nested": NESTED,
    "strings": "//*[contains(string(/), concat(string(/), string(.)))]"
    "[contains(string(/), concat(string(/), string(.)))]",
    "huge result": "//*|//*/ancestor::*|//*[count(//*|//@*) > 0]//*[count(//*) > 0]",
}


@pytest.fixture(scope="module")
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service on each database, with a group that is large enough for quadratic trouble."""
    folder = tmp_path_factory.mktemp("queried")
    with (
        with_tables(request.param, folder) as url,
        running_service(folder, config=CONFIG, options=["--database", url]) as running,
        ThreadPoolExecutor(8) as pool,
    ):
        members = (f"http://127.0.0.1:1/{number}" for number in range(ENTRIES))
        list(pool.map(lambda member: soap.add(running.group, member, soap.ASKED_ONCE), members))
        assert soap.query(running.group, "count(//*)").status == 200
        yield running


def evaluator(service: RunningService) -> psutil.Process:
    roles = psutil.Process(service.process.pid).children()
    return next(role for role in roles if role.name() == "mds-query")


def query(expression: str) -> bytes:
    rp = soap.NS["oasis"]["rp"]
    text = expression.replace("<", "&lt;")
    return soap.envelope(
        f'<rp:QueryResourceProperties xmlns:rp="{rp}"><rp:QueryExpression Dialect="{soap.XPATH}">'
        f"{text}</rp:QueryExpression></rp:QueryResourceProperties>"
    )


def plain() -> list[bytes]:
    rp, sg = soap.NS["oasis"]["rp"], soap.NS["oasis"]["sg"]
    entries = (
        f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:sg="{sg}">sg:Entry</rp:GetResourceProperty>'
    )
    add = soap.add_body("http://127.0.0.1:1/brief", termination="PT1S")
    return [soap.envelope(entries), soap.envelope(add)]


def cheap() -> Iterator[bytes]:
    """Each another one, so that no answer is one that was given before."""
    for number in itertools.count():
        yield query(f"count(//*[local-name()='EntryKey']) >= {number}")


class Attack:
    """Four expressions at once, each of a caller of its own; they end as they may."""

    def __init__(self, service: RunningService, expressions: list[str]) -> None:
        self._pool = ThreadPoolExecutor(len(expressions))
        self._futures = [
            self._pool.submit(self._run, service.group, expression, number)
            for number, expression in enumerate(expressions)
        ]

    @staticmethod
    def _run(group: str, expression: str, number: int) -> tuple[float, int, bytes]:
        caller = Caller(group, source=f"127.0.0.{number + 10}")
        try:
            return caller.ask(query(expression))
        finally:
            caller.close()

    def is_on(self) -> bool:
        return not all(future.done() for future in self._futures)

    def ends(self) -> list[tuple[float, int, bytes]]:
        futures: list[Future[tuple[float, int, bytes]]] = self._futures
        found = [future.result(60) for future in futures]
        self._pool.shutdown()
        return found


@pytest.mark.parametrize("name", HOSTILE)
@on_sqlite
def test_four_hostile_expressions_delay_nobody(service: RunningService, name: str) -> None:
    four_delay_nobody(service, name)


@on_postgresql
def test_four_hostile_expressions_delay_nobody_on_a_server(service: RunningService) -> None:
    four_delay_nobody(service, "quadratic")


def four_delay_nobody(service: RunningService, name: str) -> None:
    good, asking = Caller(service.group), Caller(service.group, source="127.0.0.2")
    cheap_ones = cheap()

    def attempt() -> list[tuple[str, float, float]]:
        until(lambda: not evaluator(service).children(), what="an evaluator at rest")
        rest = max(good.times(plain(), seconds=0.5))
        cheap_rest = max(asking.times([next(cheap_ones)], at_least=1)[0] for _ in range(20))
        attack = Attack(service, [HOSTILE[name]] * 4)
        time.sleep(0.1)
        waits, cheap_waits = [], []
        while attack.is_on():
            waits += good.times(plain(), at_least=2)
            cheap_waits += asking.times([next(cheap_ones)], at_least=1)
        ends = attack.ends()
        for took, status, content in ends:
            assert status == 500, content[:500]
            assert b"QueryEvaluationErrorFault" in content
            assert took < TIMEOUT + 6
        # One place is kept for those that are not long, so that three run to their limit.
        timed_out = [took for took, _, content in ends if b"was not evaluated in 4 s" in content]
        assert len(timed_out) == 3 or name == "huge result", ends
        assert min(timed_out, default=TIMEOUT) >= TIMEOUT - 0.1
        return [
            ("without XPath", max(waits), rest + PLAIN_GRACE),
            ("with cheap XPath", max(cheap_waits), cheap_rest + CHEAP_GRACE),
        ]

    try:
        BestOfThree(attempt).check()
    finally:
        good.close()
        asking.close()
    until(lambda: not evaluator(service).children(), what="no process left behind")


@on_sqlite
def test_hostile_expressions_leave_no_memory_behind(service: RunningService) -> None:
    def held() -> int:
        until(lambda: not evaluator(service).children(), what="an evaluator at rest")
        return int(evaluator(service).memory_full_info().uss)

    Attack(service, list(HOSTILE.values())[:4]).ends()
    before = held()
    for _ in range(2):
        Attack(service, list(HOSTILE.values())[-4:]).ends()
    assert held() - before < 8 * 2**20


@on_sqlite
def test_one_caller_with_very_many_expressions_keeps_nobody_out(service: RunningService) -> None:
    """More than there are threads: those that wait for the evaluator keep none of them."""
    with ThreadPoolExecutor(150) as pool:
        hostile = [
            pool.submit(Attack._run, service.group, HOSTILE["quadratic"], 40) for _ in range(150)
        ]
        good = Caller(service.group)
        try:
            until(lambda: len(evaluator(service).children()) >= 1, what="an attack")
            while not all(future.done() for future in hostile):
                took, status, content = good.ask(plain()[0])
                assert status == 200, content
                assert took < 2
        finally:
            good.close()
        for future in hostile:
            _, status, content = future.result()
            assert status == 500
            assert b"QueryEvaluationErrorFault" in content
