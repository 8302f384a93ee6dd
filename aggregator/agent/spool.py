"""Reports that were taken of collectors and not acknowledged: files, so that a restart has them.

Each is sent under the id that it got here until the service says that it has it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aggregator.errors import ConfigError

log = logging.getLogger(__name__)

_NAME = re.compile(r"([0-9]{12})\.(report|refused)", re.ASCII)
#: Reports that wait, past which no more are taken; and refused ones that are kept to be looked at.
MOST, _REFUSED = 1000, 100
#: Why a file is not readable now and never will be; anything else, as too many open files, passes.
_BROKEN = (errno.EIO, errno.ENOENT, errno.EISDIR, errno.ELOOP)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A report that waits: where it lies, and what it is known by."""

    path: Path
    id: str
    type: str
    content_type: str


class Spool:
    """The reports in a folder, oldest first. For several threads that put and one that takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"{folder} can't be used: {error.strerror}", element="--spool"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise ConfigError(
                f"another agent uses {folder}; name another folder", element="--spool"
            ) from error
        for left in folder.glob("*.new"):
            left.unlink()
        self._putting = threading.Lock()
        names = sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))
        self._waiting = deque(folder / name for name in names if name.endswith(".report"))
        # Past those that were set aside too: none takes the place of another.
        self._last = int(names[-1][:12]) if names else 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, type: str, content_type: str, data: bytes) -> None:
        """Keep a report; it is on the disk when this returns. Where that raises OSError nothing of
        it is."""
        said = {"id": uuid.uuid4().hex, "type": type, "contentType": content_type}
        with self._putting:
            self._last += 1
            path = self._folder / f"{self._last:012d}.report"
            try:
                write_durably(path, json.dumps(said).encode() + b"\n" + data)
            except OSError:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                raise
            self._waiting.append(path)

    def oldest(self) -> tuple[Spooled, bytes] | None:
        """The report that is to be sent next, with its data; None where none waits.

        One that is broken is set aside; OSError where it can't be read for a reason that passes.
        """
        while self._waiting:
            path = self._waiting[0]
            try:
                line, _, data = path.read_bytes().partition(b"\n")
                said = json.loads(line)
                return Spooled(path, said["id"], said["type"], said["contentType"]), data
            except (OSError, ValueError, KeyError, TypeError) as error:
                if isinstance(error, OSError) and error.errno not in _BROKEN:
                    raise
                # What a dying disk has left of one must not stop the others.
                self._set_aside(path, f"it can't be read: {error}")
        return None

    def done(self, report: Spooled) -> None:
        """Let go of a report that was acknowledged."""
        report.path.unlink(missing_ok=True)
        self._waiting.popleft()

    def refuse(self, report: Spooled) -> None:
        """Set a report aside that the service will never take."""
        self._set_aside(report.path, "the service will never take it")

    def _set_aside(self, path: Path, why: str) -> None:
        self._waiting.popleft()
        log.error("%s is set aside as .refused: %s", path, why)
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(".refused"))
            for old in sorted(self._folder.glob("*.refused"))[:-_REFUSED]:
                old.unlink()

    def close(self) -> None:
        """Let another agent have the folder."""
        os.close(self._lock)


class KeptInFile:
    """`aggregator.reports.addons.Kept` of a collector. What it saves is on the disk after `store`,
    so that it never says that a report was made which nobody has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved: str | None = None

    def load(self) -> Any:
        """What was saved last."""
        try:
            return json.loads(self._unsaved or self._path.read_bytes())
        except (OSError, ValueError) as error:
            raise LookupError("nothing was saved") from error

    def save(self, data: Any) -> None:
        """Keep it with the next `store`."""
        self._unsaved = json.dumps(data)

    def store(self) -> None:
        """Write what was saved since the last time."""
        if self._unsaved is not None:
            write_durably(self._path, self._unsaved.encode())
            self._unsaved = None


def write_durably(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; it is on the disk when this returns."""
    new = path.with_suffix(".new")
    try:
        with open(new, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        # Half of it would only take up what is left of a full disk.
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
