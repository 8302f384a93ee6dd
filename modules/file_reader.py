"""A collector that reports the files of a folder that changed: the other half of the example."""

from __future__ import annotations

import errno
import logging
import os
import stat
from typing import Any

from aggregator.reports import Collector, messages

#: Bytes of a report; files that are larger by themselves are left out.
LARGEST = 2 * 2**20


class FileReader(Collector):
    """Reports the files of FILE_READER_DIR as FileOutput, each when it is new or has changed."""

    reporttype = "FileOutput"
    folder = os.environ.get("FILE_READER_DIR", "/tmp/out")

    def __init__(self) -> None:
        self.reported: dict[str, float] = self.restoreData({})
        self.left_out: set[str] = set()

    def getReport(self, now: float) -> Any:
        """Some of what changed; None where nothing did."""
        data, size = messages.Files(), 0
        try:
            names = sorted(filter(_is_utf8, os.listdir(self.folder)))
        except OSError as error:
            logging.debug("Failed open/read %s: %s", self.folder, error.strerror)
            return None
        # Of those that are gone nothing is remembered: they are new when they come back.
        reported = {name: self.reported[name] for name in names if name in self.reported}
        self.left_out.intersection_update(names)
        for name in names:
            try:
                found = self._changed(name, reported.get(name), room=LARGEST - size)
            except OSError as error:
                self._leave_out(name, error.strerror or "")
                continue
            if found is None:
                continue
            modtime, content = found
            if len(content) > LARGEST - size:
                if size:
                    break
                self._leave_out(name, f"more than {LARGEST} bytes")
                continue
            data.files.add(name=name, modtime=modtime, data=content)
            size += len(content)
            reported[name] = modtime
        self.reported = reported
        if not data.files:
            return None
        self.saveData(self.reported)
        return self.reporttype, data

    def _changed(self, name: str, known: float | None, *, room: int) -> tuple[float, bytes] | None:
        """When a file was changed, and what is in it, a byte more than there is room for at most;
        None where that is known, and for a link, a pipe or a folder."""
        path = os.path.join(self.folder, name)
        facts = os.lstat(path)
        if name.startswith(".") or not stat.S_ISREG(facts.st_mode) or facts.st_mtime == known:
            return None
        if facts.st_size > LARGEST:
            raise OSError(errno.EFBIG, f"more than {LARGEST} bytes")
        # What has taken its place meanwhile must not be waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as fp:
            return os.fstat(fp.fileno()).st_mtime, fp.read(room + 1)

    def _leave_out(self, name: str, why: str) -> None:
        # Once, and not every second.
        if name not in self.left_out:
            self.left_out.add(name)
            logging.warning("left out %s: %s", name, why)


def _is_utf8(name: str) -> bool:
    """Whether a message can hold a name; others come with surrogates in place of their bytes."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False
