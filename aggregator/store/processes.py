"""Which processes of the service run, and since when the service as a whole does."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sqlalchemy import bindparam, delete, select

from aggregator.store.accumulators import fold, reset
from aggregator.store.action_counts import reset_fired
from aggregator.store.statement import Row, Statement
from aggregator.store.tables import processes, service
from aggregator.store.upsert import or_replace
from aggregator.store.write import Write

#: Microseconds after which a process of another host that gave no sign is taken for dead.
SILENCE = 15_000_000

ALL = Statement(
    select(
        processes.c.process,
        processes.c.boot,
        processes.c.pid,
        processes.c.pid_started,
        processes.c.heartbeat,
    ).with_for_update()
)
ENTER = Statement(or_replace(processes))
LEAVE = Statement(delete(processes).where(processes.c.process == bindparam("of")))
BEGIN_SERVICE = Statement(or_replace(service))


def start_process(write: Write, process: str, role: str) -> None:
    """Enter a process of the service under a name that is its own.

    Where no other one runs, this is the start of the service: its counts begin anew.
    """
    others = [row for row in ALL.rows(write.connection) if row[0] != process]
    dead = [row[0] for row in others if not _runs(row, write.now)]
    if len(dead) == len(others):
        write.run(BEGIN_SERVICE, id=1, started=write.now)
        reset(write)
        reset_fired(write)
    _remove(write, dead)
    heartbeat(write, process, role)


def heartbeat(write: Write, process: str, role: str) -> None:
    """Give a sign of life; at least every five seconds where several hosts share a store."""
    pid = os.getpid()
    write.run(
        ENTER,
        process=process,
        role=role,
        boot=_boot(),
        pid=pid,
        pid_started=_started(pid),
        heartbeat=write.now,
    )


def end_process(write: Write, process: str) -> None:
    """Take leave; what the process counted stays."""
    _remove(write, [process])


def _remove(write: Write, names: Iterable[str]) -> None:
    for name in sorted(names):
        fold(write, name)
        write.run(LEAVE, of=name)


def _runs(row: Row, now: int) -> bool:
    _, boot, pid, pid_started, seen = row
    if boot == _boot():
        return bool(_started(pid) == pid_started)
    return bool(now - seen <= SILENCE)


@cache
def _boot() -> str:
    """What two processes share that can see each other: the kernel's run and its process ids."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"


def _started(pid: int) -> int:
    """When a process began, in ticks since the boot; 0 when it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return 0
    # Behind the name, which may hold anything: state first, the start as the 20th.
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] == "Z" else int(fields[19])
