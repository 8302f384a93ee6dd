"""What was acknowledged is there after a power cut, on both databases."""

from __future__ import annotations

import concurrent.futures
import contextlib
from pathlib import Path

import pytest
from lxml import etree

from tests import soap
from tests.service import RunningService, running_service, start_service
from tests.soap import AGG

pytestmark = pytest.mark.long

MANY = 300


def keys(group: str) -> set[str]:
    return {entry.findtext(f".//{{{AGG}}}EntryKey") or "" for entry in soap.entries(group)}


def add(service: RunningService, number: int) -> soap.EntryReference:
    return soap.add(service.group, f"http://127.0.0.1:1/{number}", soap.ASKED_ONCE)


def test_three_hundred_acknowledged_adds_survive_kill_9(tmp_path: Path, database_url: str) -> None:
    options = ["--database", database_url]
    service = start_service(tmp_path / "service", options=options)
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            added = list(pool.map(lambda n: add(service, n), range(MANY)))
    finally:
        service.kill()
    with running_service(tmp_path / "service", options=options) as again:
        assert keys(again.group) == {entry.key for entry in added}


def test_renewals_and_ends_survive_kill_9(tmp_path: Path, database_url: str) -> None:
    options = ["--database", database_url]
    service = start_service(tmp_path / "service", options=options)
    try:
        renewed, destroyed, ended = (
            soap.add(service.group, f"http://10.0.0.1/{n}") for n in range(3)
        )
        later = "2035-05-05T05:05:05.000Z"
        assert soap.set_termination_time(renewed, later).status == 200
        assert soap.destroy(destroyed).status == 200
        assert soap.set_termination_time(ended, "2020-01-01T00:00:00Z").status == 200
    finally:
        service.kill()
    with running_service(tmp_path / "service", options=options) as again:
        assert keys(again.group) == {renewed.key}
        address = renewed.address.replace(service.url, again.url)
        answer = soap.get_property(address, "rl:TerminationTime", header=renewed.header)
        assert answer.body[0].text == later


def test_adds_in_flight_at_a_kill_are_acknowledged_or_unknown_to_their_clients(
    tmp_path: Path, database_url: str
) -> None:
    options = ["--database", database_url]
    service = start_service(tmp_path / "service", options=options)
    acknowledged: list[str] = []

    def try_to_add(number: int) -> None:
        with contextlib.suppress(OSError, AssertionError, etree.XMLSyntaxError):
            acknowledged.append(add(service, number).key)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(try_to_add, number) for number in range(400)]
        while len(acknowledged) < 100:
            concurrent.futures.wait(running, timeout=0.01)
        service.kill()
    with running_service(tmp_path / "service", options=options) as again:
        assert set(acknowledged) <= keys(again.group)
