"""The demonstration: a service, a member and the registrant, as processes on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aggregator.errors import AggregatorException
from aggregator.run.demonstration_file import registration_file

_READY_WITHIN = 60.0
_STOP_WITHIN = 15.0


class DemonstrationFailed(AggregatorException):
    """Raised when a process of the demonstration does not come up."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What runs: the service's address, the group's, and the registration file."""

    url: str
    group: str
    member: str
    registrations: Path


@contextlib.contextmanager
def demonstration(folder: Path, *, port: int = 0) -> Iterator[Demonstration]:
    """Run the demonstration's processes as long as the block; `folder` holds all they keep."""
    with contextlib.ExitStack() as processes:
        member = _start_member(folder, processes)
        url = _start_service(folder, port, processes)
        group = f"{url}/wsrf/services/DefaultIndexService"
        file = folder / "registrations.xml"
        file.write_text(registration_file(group=group, member=member))
        _start(processes, folder, ["aggregator.cli.servicegroup_add", "-a", str(file)])
        yield Demonstration(url, group, member, file)


def _start(
    processes: contextlib.ExitStack, folder: Path, command: Sequence[str]
) -> tuple[subprocess.Popen[bytes], Path]:
    name = command[1] if command[0] == "aggregator" else command[0].rpartition(".")[2]
    log = folder / f"{name}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            # Ctrl-C is ours to handle: the children are ended in order.
            start_new_session=True,
        )
    processes.callback(_end, process)
    return process, log


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _start_member(folder: Path, processes: contextlib.ExitStack) -> str:
    process, log = _start(processes, folder, ["aggregator", "member", "--port", "0"])
    line = _await_line(process, log, "listening on ")
    return line.partition("listening on ")[2].split()[0]


def _start_service(folder: Path, port: int, processes: contextlib.ExitStack) -> str:
    command = ["aggregator", "serve", "--port", str(port), "--data-dir", str(folder / "data")]
    process, log = _start(processes, folder, [*command, "--log-format", "text"])
    line = _await_line(process, log, "listening on ")
    url = line.partition("listening on ")[2].split()[0]
    _await_ready(url, process, log)
    return url


def _await_line(process: subprocess.Popen[bytes], log: Path, wanted: str) -> str:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text(errors="replace").splitlines():
            if wanted in line:
                return line
        time.sleep(0.05)
    raise DemonstrationFailed(f"{log.stem} did not come up:\n{_tail(log)}")


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                json.load(answer)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise DemonstrationFailed(f"the service at {url} is not ready:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
