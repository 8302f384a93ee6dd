"""Start one probe from its keeper: pipes, process group, limits, environment, exec.

This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal

from aggregator.collect import probe_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_DEFAULTS = (
    signal.SIGINT,
    signal.SIGQUIT,  # A shell ignores it for what it starts in the background.
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)


class Spawned:
    """A probe that was started: its pid, a pidfd, and the keeper's ends of four pipes.

    ``trouble`` reaches its end of file when the executable has taken over; before that it brings
    the errno and the text of a start that failed.
    """

    __slots__ = ("errors", "input", "output", "pid", "pidfd", "trouble")

    def __init__(self, order: dict[str, Any], *, scratch: str) -> None:
        inputs, outputs, errors, trouble = os.pipe(), os.pipe(), os.pipe(), os.pipe()
        keeper = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            probe_ends = (inputs[0], outputs[1], errors[1], trouble[1])
            _become_probe(order, ends=probe_ends, scratch=scratch, keeper=keeper)
        for end in (inputs[0], outputs[1], errors[1], trouble[1]):
            os.close(end)
        self.input, self.output, self.errors = inputs[1], outputs[0], errors[0]
        self.trouble = trouble[0]
        self.pidfd = os.pidfd_open(self.pid)
        for end in (self.input, self.output, self.errors, self.trouble):
            os.set_blocking(end, False)


def _become_probe(
    order: dict[str, Any], *, ends: tuple[int, int, int, int], scratch: str, keeper: int
) -> NoReturn:
    """In the forked child: turn into the executable, or tell why that failed."""
    try:
        os.setpgid(0, 0)
        probe_tree.die_with_parent(keeper)
        for ignored in _DEFAULTS:
            signal.signal(ignored, signal.SIG_DFL)
        for target, end in enumerate(ends[:3]):
            os.dup2(end, target)
        os.chdir(scratch)
        environment = {**order["env"], "HOME": scratch, "TMPDIR": scratch}
        _limit(order.get("memory_limit"))
        os.execve(order["argv"][0], order["argv"], environment)
    except BaseException as error:
        number = error.errno if isinstance(error, OSError) and error.errno else 0
        text = os.strerror(number) if number else f"{type(error).__name__}: {error}"
        os.write(ends[3], f"{number} {text}".encode(errors="replace")[:512])
    finally:
        os._exit(127)


def _limit(memory: int | None) -> None:
    """No core files; first in line when the host runs out of memory; the limit of `memory` bytes.

    The limit is on data (RLIMIT_DATA), not on address space: Go, Java and Node reserve far more
    addresses than they ever use.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as score:
        score.write(b"500")
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
