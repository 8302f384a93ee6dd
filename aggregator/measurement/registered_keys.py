"""The file with the keys under which the archive is registered: ls_key_db."""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)


class RegisteredKey(NamedTuple):
    """How a registration is named where it was made, and what was registered, in short."""

    key: str
    checksum: str


class RegisteredKeys:
    """Keys over restarts, by where something is registered and its access point.

    What can't be written is logged and known until the process ends. Threads may share it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = _read(path)

    def find(self, where: str, access_point: str) -> RegisteredKey | None:
        """What was kept; None for nothing."""
        with self._lock:
            return self._known.get((where, access_point))

    def keep(self, where: str, access_point: str, kept: RegisteredKey) -> None:
        """Keep a key; it is on disk when this returns."""
        with self._lock:
            if self._known.get((where, access_point)) != kept:
                self._known[where, access_point] = kept
                self._write()

    def forget(self, where: str, access_point: str) -> None:
        """Forget a key. Safe twice."""
        with self._lock:
            if self._known.pop((where, access_point), None) is not None:
                self._write()

    def _write(self) -> None:
        rows = [
            {"where": where, "accessPoint": access_point, **kept._asdict()}
            for (where, access_point), kept in sorted(self._known.items())
        ]
        text = json.dumps({"registered": rows}, indent=1)
        half = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            # Whoever knows a key may end what is registered under it.
            half.unlink(missing_ok=True)
            handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            half.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with suppress(OSError):
                half.unlink(missing_ok=True)
            logger.warning(
                "the keys of registrations can't be kept in %s, so that a restart will register "
                "anew: %s",
                self._path,
                error.strerror,
            )


def _read(path: Path) -> dict[tuple[str, str], RegisteredKey]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["registered"]
        return {
            (str(row["where"]), str(row["accessPoint"])): RegisteredKey(
                str(row["key"]), str(row["checksum"])
            )
            for row in rows
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning(
            "the keys of registrations in %s can't be read, and are made anew: %s", path, error
        )
        return {}
