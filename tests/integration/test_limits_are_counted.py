"""Where a limit bites, the metric that the page of limits names counts it."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import soap
from tests.counting import counted
from tests.service import RunningService, running_service
from tests.waiting import until

CONFIG = """
[server]
workers = 1
max_body = '128KiB'
[store]
write_timeout = '1s'
busy_timeout = '1s'
[query]
timeout = '2s'
max_evaluations = 1
max_waiting = 16
memory = '16MiB'
max_result = '64KiB'
[groups.DefaultIndexService]
min_interval_millis = 100
[groups.Full]
max_entries = 1
[groups.Fair]
max_entries_per_caller = 1
[groups.Leisurely]
min_interval_millis = 4000000
[probes]
timeout = '4s'
max_output = '4KiB'
memory_limit = '100MiB'
"""
HOSTILE = "count(//*[count(//*[count(//*) > 1]) > 1])"
#: What clients are told, by the label of the limit.
ENDS = {
    "time": "not evaluated in 2 s, the limit here",
    "long": "longer than 1 s",
    "turn": "for its turn",
    "waiting": "are waiting to be evaluated, 8 of them yours",
}
PART = f"{sys.executable} -c 'import time; x = bytearray(60 << 20); time.sleep(60)'"
HOG = f"{PART} & {PART} & wait"
PROBES = {"hog": (HOG, "memory"), "floods": ("yes", "too-large"), "hangs": ("sleep 60", "timeout")}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with narrow limits, and enough of a document for trouble."""
    folder: Path = tmp_path_factory.mktemp("strict")
    probes = folder / "probes"
    probes.mkdir(mode=0o755)
    commands = {name: command for name, (command, _) in PROBES.items()}
    # That of members that are idle here.
    commands["aggregator-exec-test"] = "echo '<ok/>'"
    for name, command in commands.items():
        (probes / name).write_text(f"#!/bin/sh\n{command}\n")
        (probes / name).chmod(0o755)
    with running_service(folder, config=f"{CONFIG}folder = '{probes}'\n") as running:
        text = f"<x xmlns='urn:x'>{'y' * 100_000}</x>"
        soap.add(running.group, "http://127.0.0.1:1/large", references=text)
        for number in range(80):
            soap.add(running.group, f"http://127.0.0.1:1/{number}")
        yield running


def queries_ended(service: RunningService, limit: str) -> float:
    """How many queries ended because of a limit."""
    return counted(service, "aggregator_queries_ended_total", limit=limit)


def test_queries_that_take_time_or_wait_are_counted_by_what_ended_them(
    strict: RunningService,
) -> None:
    before = {limit: queries_ended(strict, limit) for limit in ENDS}
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: soap.query(strict.group, HOSTILE), range(24)))
    assert {answer.status for answer in answers} == {500}
    told = {
        limit: sum(text in answer.fault[1] for answer in answers) for limit, text in ENDS.items()
    }
    assert min(told.values()) > 0, told
    assert sum(told.values()) == 24, told
    assert {limit: queries_ended(strict, limit) - before[limit] for limit in ENDS} == told


@pytest.mark.parametrize(
    ("limit", "depth", "wrapped"), [("result", 0, "//*"), ("memory", 8, "string-length({})")]
)
def test_queries_that_need_room_are_counted(
    strict: RunningService, limit: str, depth: int, wrapped: str
) -> None:
    text = "string(/)"
    for _ in range(depth):
        text = f"concat({text}, {text})"
    before = queries_ended(strict, limit)
    answer = soap.query(strict.group, wrapped.format(text))
    assert answer.fault[0] == "QueryEvaluationErrorFault"
    assert queries_ended(strict, limit) == before + 1


@pytest.mark.parametrize("group", ["Full", "Fair", "Leisurely"])
def test_refused_adds_are_counted(strict: RunningService, group: str) -> None:
    def refused() -> float:
        return counted(strict, "aggregator_adds_total", group=group, outcome="refused")

    address = f"{strict.url}/wsrf/services/{group}"
    if group != "Leisurely":
        soap.add(address, "http://127.0.0.1:1/first")
    assert refused() == 0
    answer = soap.call(address, soap.add_body("http://127.0.0.1:1/second"))
    assert answer.fault[0] == "AddRefusedFault"
    assert refused() == 1


def test_refused_requests_are_counted(strict: RunningService) -> None:
    def refused() -> float:
        return counted(strict, "aggregator_requests_refused_total", fault="RequestTooLarge")

    before = refused()
    large = soap.add_body("http://127.0.0.1:1/", references=f"<x>{'y' * 200_000}</x>")
    assert soap.post(strict.group, soap.envelope(large)).status == 500
    assert refused() == before + 1


def test_requests_that_the_database_lets_down_are_counted(strict: RunningService) -> None:
    before = counted(strict, "aggregator_store_unavailable_total")
    held = sqlite3.connect(strict.data_dir / "aggregator.db")
    held.execute("BEGIN IMMEDIATE")
    try:
        answer = soap.call(strict.group, soap.add_body("http://127.0.0.1:1/late"))
        assert answer.fault[0] == "ResourceUnavailableFault"
        assert counted(strict, "aggregator_store_unavailable_total") == before + 1
    finally:
        held.close()


def test_collections_are_counted_by_their_end_and_turns_that_are_left_out(
    strict: RunningService,
) -> None:
    def ended(outcome: str) -> float:
        return counted(strict, "aggregator_collections_total", outcome=outcome)

    def left_out() -> float:
        return counted(strict, "aggregator_collection_overruns_total")

    before = {outcome: ended(outcome) for _, outcome in PROBES.values()}
    overruns = left_out()
    added = [
        soap.add(strict.group, "http://127.0.0.1:1/", soap.execution_config(name, millis=200))
        for name in PROBES
    ]
    try:
        for outcome, count in before.items():
            assert until(lambda o=outcome, c=count: ended(o) > c, what=outcome)
        assert until(lambda: left_out() > overruns, what="a turn that was left out")
    finally:
        for entry in added:
            soap.destroy(entry)
