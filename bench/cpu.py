"""CPU time by the names of processes: on few cores, what one takes another goes without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

import psutil

from bench.processes import family_of


def cpu_by_name(pids: Iterable[int]) -> dict[str, float]:
    """Seconds that these processes and all beneath them have taken so far."""
    found: dict[str, float] = {}
    for process in (process for pid in pids for process in family_of(pid)):
        with contextlib.suppress(psutil.NoSuchProcess):
            name, times = process.name(), process.cpu_times()
            found[name] = found.get(name, 0.0) + times.user + times.system
    return found


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """By how much each name grew."""
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
