"""A program run to its end: no shell, a time limit, a bounded output, an environment of its own."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

#: Bytes of what a program complains about that are kept.
_COMPLAINT = 2000
_PIECE = 2**16


class ProgramTooSlow(Exception):
    """Raised where a program did not end in time; it was ended."""


class OutputTooLarge(Exception):
    """Raised where a program wrote more than it may; it was ended."""


class Ran(NamedTuple):
    """How a program ended, what it wrote, and what it complained about."""

    status: int
    output: bytes
    complaint: str


def run(command: Sequence[str], *, timeout: float, most: int, pass_fds: Sequence[int] = ()) -> Ran:
    """Run a program; raises OSError where it can't be started."""
    deadline = time.monotonic() + timeout
    with subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        pass_fds=tuple(pass_fds),
        start_new_session=True,
    ) as process:
        try:
            output, complaint = _read(process, deadline, most)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise ProgramTooSlow from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    return Ran(status, output, complaint.decode(errors="replace").strip())


def _read(process: subprocess.Popen[bytes], deadline: float, most: int) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    found = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    output, complaint = found.values()
    with selectors.DefaultSelector() as selector:
        for one in found:
            selector.register(one, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise ProgramTooSlow
            for key, _ in selector.select(min(left, 1.0)):
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    selector.unregister(key.fd)
                found[key.fd] += piece
                del complaint[_COMPLAINT:]
                if len(output) > most:
                    raise OutputTooLarge
    return bytes(output), bytes(complaint)
