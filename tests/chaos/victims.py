"""Whom to kill: the processes of a running service by their roles."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.ledger import now
from tests.member import gone
from tests.service import RunningService
from tests.waiting import until

ROLES = ("web worker", "web arbiter", "collector", "evaluator", "probe server", "supervisor")
_PATIENCE = 40.0


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill: from just before it until nothing of the victim was left, or it was replaced.

    `ports` are the client's ends of the connections that a web worker had accepted.
    """

    role: str
    at: int
    gone: int
    ports: frozenset[int] = frozenset()


def role_of(service: RunningService, name: str) -> psutil.Process | None:
    """The process that the supervisor started for a role, None while there is none."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(service.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if child.name() == f"mds-{name}":
                    return child
    return None


def victims(service: RunningService, role: str) -> list[psutil.Process]:
    """The processes that a role's kill may hit."""
    if role == "supervisor":
        return [psutil.Process(service.process.pid)]
    started = {"evaluator": "query", "collector": "collector", "probe server": "collector"}
    process = role_of(service, started.get(role, "web"))
    if process is None or role in ("web arbiter", "collector", "evaluator"):
        return [process] if process else []
    with contextlib.suppress(psutil.Error):
        return process.children()
    return []


def kill(service: RunningService, role: str, choice: int) -> Kill:
    """Kill one process that plays a role; waits for one that is about to be started."""
    found = until(lambda: victims(service, role), within=_PATIENCE, what=f"a {role}")
    victim = found[choice % len(found)]
    ports: frozenset[int] = frozenset()
    beneath = descendants(victim) if role == "web arbiter" else []
    at = now()
    if role == "web worker":
        ports = _halted(victim)
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.kill()
    if role == "supervisor":
        service.process.wait(10)
    until(lambda: is_gone(victim) and all(map(is_gone, beneath)), what=f"the end of the {role}")
    return Kill(role, at, now(), ports)


def _halted(worker: psutil.Process) -> frozenset[int]:
    """Stop a worker in its tracks; the other ends of the connections that it has just now."""
    try:
        worker.send_signal(signal.SIGSTOP)
        until(lambda: set(_states(worker.pid)) <= {"T", "Z"}, what="a worker that stands")
        return frozenset(
            one.raddr.port for one in worker.net_connections("tcp") if one.raddr and one.laddr
        )
    except (psutil.Error, OSError):
        # It ended by itself, with its arbiter.
        return frozenset()


def _states(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            yield (task / "stat").read_text().rpartition(")")[2].split()[0]


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended; a zombie has, and its number may be another's now."""
    if gone(process.pid):
        return True
    with contextlib.suppress(psutil.Error):
        return not process.is_running()
    return True


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """All processes beneath one."""
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def left_of(service: RunningService) -> list[int]:
    """The living processes that play roles of a service, but are not beneath its supervisor."""
    found = {
        process.pid: process
        for process in psutil.process_iter(["name", "cmdline"])
        if (process.info["name"] or "").startswith("mds-")
        and str(service.data_dir) in (process.info["cmdline"] or [])
    }
    for process in descendants(psutil.Process(service.process.pid)):
        found.pop(process.pid, None)
    return [pid for pid, process in found.items() if not is_gone(process)]
