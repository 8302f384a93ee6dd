"""Processes of a benchmark: started, waited for, asked for their CPU time and memory, ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil


class Missing(Exception):
    """A program that a benchmark needs is not on this machine; the message says which."""


def program(name: str, *, package: str) -> str:
    """The path of a program; raises Missing, naming the Debian package that brings it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{name} is not here (Debian's package {package})")
    return found


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    folder: Path,
    port: int,
    host: str = "127.0.0.1",
    within: float = 60.0,
    environ: Mapping[str, str] | None = None,
) -> Iterator[psutil.Process]:
    """A process that listens there, for as long as the block; all beneath it end with it."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, cwd=folder, stdout=stream, stderr=stream, env={**os.environ, **(environ or {})}
        )
    try:
        _wait_for((host, port), process, within=within, log=log)
        yield psutil.Process(process.pid)
    finally:
        _end(process)


def _wait_for(
    address: tuple[str, int], process: subprocess.Popen[bytes], *, within: float, log: Path
) -> None:
    deadline = time.monotonic() + within
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(address, 1.0):
            return
        time.sleep(0.02)
    _end(process)
    said = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{process.args!r} does not listen on {address}; it said:\n{said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    family = []
    if process.poll() is None:
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
    for member in [*family, process]:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            member.kill()
    process.wait()


def family_of(pid: int) -> list[psutil.Process]:
    """A process and all beneath it."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def cpu_seconds(pid: int, *, role: str = "") -> float:
    """CPU time that a process and all beneath it have taken so far.

    With `role`, that of the one beneath it that has this name, and of those beneath that.
    """
    if role:
        [pid] = [process.pid for process in family_of(pid) if process.name() == role]
    total = 0.0
    for process in family_of(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total
