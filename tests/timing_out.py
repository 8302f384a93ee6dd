"""Time-outs by the thousand, of probes and of polls, and what the collector's parts hold after."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aggregator.collect.http import HttpClient
from aggregator.collect.probe_client import ProbeClient
from aggregator.config.collection import CollectSettings
from aggregator.errors import CollectError

#: A probe that can't be ended politely, and leaves what outlives it.
_SCRIPT = "trap '' TERM; (setsid sleep 4242.5 >/dev/null 2>&1 &); sleep 4242.5"
_ENVIRON = {"PATH": "/usr/bin:/bin"}
_PROBES_AT_ONCE, _POLLS_AT_ONCE = 64, 256
_PROBE_TIMEOUT, _POLL_TIMEOUT = 0.1, 0.3


@dataclass(frozen=True, slots=True)
class Held:
    """What there is of this process: its open files, processes beneath it, temporary files."""

    files: int
    processes: int
    temporary: frozenset[str]


async def time_out(*, probes: int, polls: int, tick: Callable[[], None] = lambda: None) -> Held:
    """Let so many probes and polls time out; what is held more afterwards than before.

    `tick` is called after each. Raises AssertionError for one that ended otherwise.
    """
    client = await ProbeClient.start(max_concurrent=_PROBES_AT_ONCE)
    settings = CollectSettings(timeout=_POLL_TIMEOUT, connect_timeout=_POLL_TIMEOUT)
    http = HttpClient(settings)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as hole:
        url = f"http://127.0.0.1:{hole.getsockname()[1]}/hangs"
        try:
            # What is made once is there before it is counted.
            await _probe(client)
            await _poll(http, url)
            before = _held()
            await _at_once(_PROBES_AT_ONCE, probes, lambda: _probe(client), tick)
            await _at_once(_POLLS_AT_ONCE, polls, lambda: _poll(http, url), tick)
            await asyncio.sleep(1)
            after = _held()
        finally:
            http.close()
            await client.close()
    return Held(
        after.files - before.files,
        after.processes - before.processes,
        after.temporary - before.temporary,
    )


async def _at_once(
    width: int, count: int, make: Callable[[], object], tick: Callable[[], None]
) -> None:
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await make()  # type: ignore[misc]
            tick()

    await asyncio.gather(*(work() for _ in range(width)))


async def _probe(client: ProbeClient) -> None:
    command = ("/bin/sh", "-c", _SCRIPT)
    result = await client.run(command, env=_ENVIRON, timeout=_PROBE_TIMEOUT, max_output=1000)
    assert result.outcome == "timeout", result


async def _poll(http: HttpClient, url: str) -> None:
    ended = "answer"
    try:
        await http.post(url, b"<x/>", headers={})
    except CollectError as error:
        ended = error.code
    assert ended == "timeout"


def _held() -> Held:
    sleeping = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                sleeping += b"4242.5" in (entry / "cmdline").read_bytes()
            except OSError:
                continue
    return Held(
        len(os.listdir("/proc/self/fd")),
        sleeping,
        frozenset(
            path.name for path in Path(tempfile.gettempdir()).glob("aggregator-probes-*/*/*")
        ),
    )
