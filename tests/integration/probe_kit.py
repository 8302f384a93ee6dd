"""Probes made of shell scripts, run by a real probe server, and what is left of them."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aggregator.collect.probe_client import ProbeClient, ProbeResult

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

_tokens = itertools.count()


def token() -> str:
    """A number of seconds that no other process sleeps, to know a `sleep` by its arguments."""
    return f"{100_000 + os.getpid()}.{next(_tokens):04}"


def processes(word: str) -> list[int]:
    """The living processes with this word among their arguments; zombies have none."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word.encode() in arguments:
                found.append(int(entry.name))
    return found


def await_that(true: Callable[[], object], *, within: float = 10.0) -> None:
    """Wait until something is true; AssertionError when it does not become so."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


async def became(true: Callable[[], object], *, within: float = 10.0) -> None:
    """The same inside a loop, which goes on meanwhile."""
    await asyncio.to_thread(await_that, true, within=within)


@asynccontextmanager
async def started(**options: Any) -> AsyncIterator[ProbeClient]:
    """A client with its probe server, closed at the end."""
    client = await ProbeClient.start(**options)
    try:
        yield client
    finally:
        await client.close()


async def shell(client: ProbeClient, script: str, **options: Any) -> ProbeResult:
    """Run a shell script as a probe."""
    limits = {"env": ENV, "timeout": 20.0, "max_output": 100_000} | options
    return await client.run(("/bin/sh", "-c", script), **limits)


def one(script: str, **options: Any) -> ProbeResult:
    """Run one script on a probe server of its own."""

    async def run() -> ProbeResult:
        async with started() as client:
            return await shell(client, script, **options)

    return asyncio.run(run())


def with_server(test: Callable[[ProbeClient], Awaitable[object]], **options: Any) -> None:
    """Run a coroutine with a started client."""

    async def run() -> None:
        async with started(**options) as client:
            await test(client)

    asyncio.run(run())


def kept_open(pid: int) -> Iterator[str]:
    """The open descriptors of a process."""
    return (entry.name for entry in Path(f"/proc/{pid}/fd").iterdir())
