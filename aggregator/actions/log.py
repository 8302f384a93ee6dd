"""The action ``log``: a line of JSON for each alert, appended to a file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator

from aggregator.actions.alert import Alert
from aggregator.actions.given import Given
from aggregator.actions.running import outcome
from aggregator.actions.wording import one_line
from aggregator.errors import ActionPostponed, ActionUnconfigured
from aggregator.wire.times import format_datetime

_NANOSECONDS = 1000
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
#: Characters of each of the texts; no line has more than 32 KiB then.
_LONGEST = 256
#: Seconds to wait for others who write, tried so often a second.
_PATIENCE, _OFTEN = 2.0, 50


def act(alert: Alert, given: Given) -> str:
    """Append the line; it is on the disk when this returns."""
    name = given.needed("log_file")
    line = line_of(alert, now=time.time_ns() // _NANOSECONDS)
    try:
        with _opened(name) as number:
            _append(number, line)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ActionPostponed(f"actions.log_file {name} can't be written: {reason}") from error
    return outcome("alertLogged")


def line_of(alert: Alert, *, now: int) -> bytes:
    """The line, all of it ASCII: nothing in it ends a line or moves a terminal's cursor."""
    texts = {
        "state": alert.state,
        "rule": alert.rule,
        "member": alert.member,
        "group": alert.group,
        "entry": alert.entry,
        "trigger": alert.trigger,
        "matching_rule": alert.matching_rule,
        "since": alert.since,
        "at": alert.at,
        "id": alert.id,
        "result": alert.result,
    }
    said: dict[str, object] = {"time": format_datetime(now)}
    said |= {key: one_line(text, _LONGEST) for key, text in texts.items()}
    return json.dumps({**said, "attempt": alert.attempt}).encode("ascii") + b"\n"


@contextlib.contextmanager
def _opened(name: str) -> Iterator[int]:
    """The file, made for its owner alone where it is not there; its folder has to be."""
    number = os.open(name, _FLAGS, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ActionUnconfigured(f"actions.log_file {name} is no regular file")
        yield number
    finally:
        os.close(number)


def _append(number: int, line: bytes) -> None:
    """Append a whole line or nothing, after a whole line."""
    _lock(number)
    size = os.fstat(number).st_size
    # Whoever was killed, or found the disk full, may have left half a line.
    begun = size > 0 and os.pread(number, 1, size - 1) != b"\n"
    whole = b"\n" + line if begun else line
    written = os.write(number, whole)
    if written < len(whole):
        os.ftruncate(number, size)
        raise ActionPostponed(f"{written} of {len(whole)} bytes could be written: the disk is full")
    os.fdatasync(number)


def _lock(number: int) -> None:
    for _ in range(round(_PATIENCE * _OFTEN)):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(1 / _OFTEN)
    raise ActionPostponed("others have held the file of alerts for too long")
