"""Probes whose children try to outlive them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from aggregator.collect.probe_client import ProbeClient

from .probe_kit import became, one, processes, shell, token, with_server

DAEMON = """
import os, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.closerange(0, 100)
os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
"""
# Each process of the chain starts the next one and ends: none lives for long.
CHAIN = """
import os, sys
for _ in range(20000):
    if os.fork(): os._exit(0)
os.execlp("sleep", "sleep", sys.argv[1])
"""
CLEANED = "env -i setsid sh -c 'sleep NAME & sleep NAME & wait' >/dev/null 2>&1 </dev/null"
ESCAPES = {
    "background": "sleep NAME >/dev/null 2>&1 & echo x",
    "holds-the-pipes": "sleep NAME & echo x",
    "own-session": "setsid sleep NAME >/dev/null 2>&1 & echo x",
    "orphan": "(setsid sleep NAME >/dev/null 2>&1 &); echo x",
    "no-environment": "(" + CLEANED + " &); echo x",
    "daemon": f"{sys.executable} -c '{DAEMON}' NAME; echo x",
    "ignores-sigterm": "(trap '' TERM; setsid sleep NAME >/dev/null 2>&1 &); echo x",
    "nohup": "nohup sleep NAME >/dev/null 2>&1 & echo x",
}
escapes = pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES)


@escapes
def test_what_a_probe_leaves_ends_with_it(script: str) -> None:
    name = token()
    result = one("true;" + script.replace("NAME", name) + "; sleep 0.2")
    assert (result.outcome, result.status, result.stdout) == ("exit", 0, b"x\n")
    assert result.left_behind >= 1
    assert result.seconds < 5
    assert processes(name) == []


@escapes
def test_what_a_probe_left_before_it_hung_ends_with_it(script: str) -> None:
    name = token()
    result = one(script.replace("NAME", name) + "; sleep 30", timeout=0.5)
    assert result.outcome == "timeout"
    assert processes(name) == []


@escapes
def test_a_probe_that_kills_its_keeper_still_leaves_nothing(script: str) -> None:
    name = token()

    async def test(client: ProbeClient) -> None:
        result = await shell(
            client, script.replace("NAME", name) + "; sleep 0.2; kill -9 $PPID; sleep 30"
        )
        assert result.outcome == "lost"
        await became(lambda: not processes(name), within=5)
        assert (await shell(client, "echo next")).stdout == b"next\n"

    with_server(test)


def test_pipes_are_closed_a_second_after_the_probe() -> None:
    name = token()
    result = one(f"(sleep 0.3; echo late; sleep {name}) & echo early")
    assert result.stdout == b"early\nlate\n"
    assert 1.0 <= result.seconds < 5
    assert processes(name) == []


def test_the_children_of_a_neighbour_are_left_alone(tmp_path: Path) -> None:
    mine, others, enough = token(), token(), tmp_path / "enough"

    async def test(client: ProbeClient) -> None:
        script = f"(setsid env -i sleep {others} >/dev/null 2>&1 &)"
        script += f"; until [ -e {enough} ]; do sleep 0.05; done; echo fine"
        neighbour = asyncio.create_task(shell(client, script))
        await became(lambda: processes(others))
        for escape in ESCAPES.values():
            await shell(client, escape.replace("NAME", mine))
        assert processes(mine) == []
        assert len(processes(others)) == 1
        enough.touch()
        result = await neighbour
        assert (result.outcome, result.stdout, result.left_behind) == ("exit", b"fine\n", 1)
        assert processes(others) == []

    with_server(test)


def test_a_probe_that_forks_faster_than_it_can_be_listed_ends() -> None:
    name = token()
    result = one(f"{sys.executable} -c '{CHAIN}' {name} >/dev/null 2>&1; sleep 0.1; echo x")
    assert result.outcome == "exit"
    assert result.left_behind >= 1
    assert processes(name) == []
