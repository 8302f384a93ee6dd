"""A collector that reports the files of a folder that changed: the other half of the example."""

from __future__ import annotations

import logging
import os
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

    def getReport(self, now: float) -> Any:
        """Some of what changed; None where nothing did."""
        data, size = messages.Files(), 0
        try:
            found = sorted(os.scandir(self.folder), key=lambda entry: entry.name)
        except OSError as error:
            logging.debug("Failed open/read %s: %s", self.folder, error.strerror)
            return None
        for entry in found:
            if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                continue
            facts = entry.stat(follow_symlinks=False)
            if self.reported.get(entry.name) == facts.st_mtime or facts.st_size > LARGEST:
                continue
            if size and size + facts.st_size > LARGEST:
                break
            with open(entry.path, "rb") as fp:
                file = data.files.add(name=entry.name, modtime=facts.st_mtime, data=fp.read())
            size += len(file.data)
            self.reported[entry.name] = facts.st_mtime
        if not data.files:
            return None
        self.saveData(self.reported)
        return self.reporttype, data
