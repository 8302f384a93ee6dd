"""What is left when the collector or the probe server is killed: nothing, and work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aggregator.collect import probe_client
from aggregator.collect.probe_client import ProbeClient
from aggregator.errors import AggregatorException

from .probe_kit import await_that, became, processes, shell, token, with_server

COLLECTOR = """
import asyncio, sys
from aggregator.collect.probe_client import ProbeClient

async def main():
    client = await ProbeClient.start(adopt=True)
    command, limits = ("/bin/sh", "-c", sys.argv[1]), {"timeout": 1000, "max_output": 9}
    runs = [client.run(command, env={"PATH": "/usr/bin:/bin"}, **limits) for _ in range(5)]
    running = asyncio.gather(*runs)
    print(client.server_pid, client._room.path, flush=True)
    print(*{result.outcome for result in await running}, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
# Five runs of it make fifteen sleeping processes: one plain, one in a session of its own, one
# that nothing but its ancestors ties to the probe.
ESCAPING = """
(setsid sleep {0} >/dev/null 2>&1 &)
(env -i setsid sleep {0} >/dev/null 2>&1 </dev/null &)
trap '' TERM
sleep {0}
"""


class Collector:
    """A process of its own that started a probe server and runs five probes."""

    def __init__(self, process: subprocess.Popen[str], *, name: str) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines = process.stdout
        server, scratch = self.lines.readline().split()
        self.server, self.scratch = int(server), Path(scratch)
        await_that(lambda: len(processes(name)) == 15)

    def keepers(self) -> list[int]:
        children = Path(f"/proc/{self.server}/task/{self.server}/children")
        return [int(pid) for pid in children.read_text().split()]


@contextmanager
def collector(name: str) -> Iterator[Collector]:
    command = (sys.executable, "-c", COLLECTOR, ESCAPING.format(name))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Collector(process, name=name)
        finally:
            process.kill()


def is_gone(pid: int) -> bool:
    """Whether a process is gone, or dead and waiting for its parent to take notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_kill_9_of_the_collector_leaves_nothing() -> None:
    name = token()
    with collector(name) as running:
        running.process.kill()
        await_that(lambda: not processes(name), within=5)
        await_that(lambda: is_gone(running.server), within=5)
        await_that(lambda: not running.scratch.exists(), within=5)
        assert not processes(name)


def test_kill_9_of_the_probe_server_leaves_nothing() -> None:
    name = token()
    with collector(name) as running:
        keepers = running.keepers()
        os.kill(running.server, signal.SIGKILL)
        assert running.lines.readline() == "lost\n"
        await_that(lambda: not processes(name), within=5)
        await_that(lambda: all(map(is_gone, [running.server, *keepers])), within=5)


def test_kill_9_of_the_probe_server_and_its_keepers_leaves_nothing() -> None:
    name = token()
    with collector(name) as running:
        keepers = running.keepers()
        assert len(keepers) == 5
        os.kill(running.server, signal.SIGSTOP)  # So that it can't help.
        for pid in (*keepers, running.server):
            os.kill(pid, signal.SIGKILL)
        assert running.lines.readline() == "lost\n"
        await_that(lambda: not processes(name), within=5)
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
        # Only the next probe server is the collector's child: no zombie stays with it.
        await_that(lambda: len(children.read_text().split()) == 1, within=5)


def test_kill_9_of_both_leaves_no_process_and_a_folder_that_the_next_start_removes() -> None:
    name = token()
    with collector(name) as running:
        keepers = running.keepers()
        for pid in (running.server, running.process.pid):
            os.kill(pid, signal.SIGKILL)
        await_that(lambda: not processes(name), within=5)
        await_that(lambda: all(map(is_gone, keepers)), within=5)
        with_server(lambda client: shell(client, "true"))
        assert not running.scratch.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_probe_server_lives_by_its_socket_alone(number: signal.Signals) -> None:
    async def test(client: ProbeClient) -> None:
        run = asyncio.create_task(shell(client, "sleep 0.5; echo fine"))
        await asyncio.sleep(0.2)
        os.kill(client.server_pid, number)
        assert (await run).stdout == b"fine\n"
        assert client.restarts == 0

    with_server(test)


def test_a_killed_probe_server_is_started_again() -> None:
    name = token()

    async def test(client: ProbeClient) -> None:
        first = client.server_pid
        run = asyncio.create_task(shell(client, f"sleep {name}"))
        await became(lambda: processes(name))
        os.kill(first, signal.SIGKILL)
        assert (await run).outcome == "lost"
        assert (await shell(client, "echo again")).stdout == b"again\n"
        assert client.server_pid not in {0, first}
        assert client.restarts == 1
        await became(lambda: not processes(name), within=5)

    with_server(test)


def test_a_probe_server_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_client, "_MARGIN", 0.5)

    async def test(client: ProbeClient) -> None:
        os.kill(client.server_pid, signal.SIGSTOP)
        assert (await shell(client, "echo never", timeout=0.2)).outcome == "lost"
        assert (await shell(client, "echo again")).stdout == b"again\n"

    with_server(test)


def test_the_folder_of_a_living_client_is_left_alone() -> None:
    async def test(client: ProbeClient) -> None:
        run = asyncio.create_task(shell(client, "sleep 1; touch x; ls"))
        await asyncio.sleep(0.3)
        await (await ProbeClient.start()).close()
        assert (await run).stdout == b"x\n"

    with_server(test)


def test_closing_ends_what_runs() -> None:
    name = token()

    async def run() -> None:
        client = await ProbeClient.start()
        running = asyncio.create_task(shell(client, ESCAPING.format(name)))
        await became(lambda: len(processes(name)) == 3)
        server = client.server_pid
        await client.close()
        assert (await running).outcome == "lost"
        assert processes(name) == []
        assert is_gone(server)
        await client.close()
        assert (await shell(client, "true", timeout=0.1)).outcome == "lost"

    asyncio.run(run())


def test_a_probe_server_that_cannot_start_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probe_client, "_MARGIN", 1.0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def run() -> None:
        with pytest.raises(AggregatorException, match="did not start"):
            await ProbeClient.start()

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []
