"""A bare asyncio loop that spawns an executable and reads what it prints, so many at a time.

No limits, no folder of its own for each, no thought of what a probe leaves behind: what spawning
costs in this language at best. It runs as a process of its own and prints what it did:

    python -m bench.peers.spawning EXECUTABLE ADDRESS AT_A_TIME SECONDS
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Spawned:
    """How many ended in how many seconds, and the CPU time of all; `wrong` printed other things."""

    seconds: float
    ended: int
    wrong: int
    cpu: float

    @property
    def rate(self) -> float:
        """Executables a second."""
        return self.ended / self.seconds


def spawning(executable: Path, address: str, *, at_a_time: int, seconds: float) -> Spawned:
    """Run the loop; `address` is the executable's argument, and has to be in what it prints."""
    command = [sys.executable, "-m", "bench.peers.spawning", str(executable), address]
    command += [str(at_a_time), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the bare loop failed: {done.stderr[-2000:]}")
    return Spawned(**json.loads(done.stdout))


async def _run(executable: str, address: str, at_a_time: int, seconds: float) -> Spawned:
    began = time.monotonic()
    ended = wrong = 0

    async def spawn_on() -> None:
        nonlocal ended, wrong
        while time.monotonic() < began + seconds:
            process = await asyncio.create_subprocess_exec(
                executable,
                address,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            printed, _ = await process.communicate()
            ended += 1
            wrong += process.returncode != 0 or address.encode() not in printed

    await asyncio.gather(*(spawn_on() for _ in range(at_a_time)))
    taken = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in taken)
    return Spawned(time.monotonic() - began, ended, wrong, cpu)


def main() -> None:
    """Run as the command line says."""
    executable, address, at_a_time, seconds = sys.argv[1:]
    found = asyncio.run(_run(executable, address, int(at_a_time), float(seconds)))
    told = {name: getattr(found, name) for name in ("seconds", "ended", "wrong", "cpu")}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
