"""An aggregator that keeps the files that nodes send, and shows them: SEER's own example.

Written as its documentation has it, but that no name that a node chooses leads out of the folder.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import Any

from aggregator.reports import Aggregator, messages

#: Files of the folder, and bytes of a name: what comes beyond is left out.
MOST_FILES, LONGEST_NAME = 10_000, 200
_TEMPORARY = ".new"


class FileProcessor(Aggregator):
    """Processor that deals with FileList and File messages."""

    reporttype = "FileOutput"
    updatetype = "FileList"
    requesttypes = "File", "FileList"
    storagedir = os.environ.get("FILE_PROCESSOR_DIR", "/tmp/dir")

    def __init__(self) -> None:
        self.newfiles: list[str] = []
        if not os.path.isdir(self.storagedir):
            os.makedirs(self.storagedir, mode=0o700)
        self.folder = _own_folder(self.storagedir)

    def processReport(self, msg: Any) -> None:
        """Handle new files given to us from a node."""
        data = messages.Files()
        data.ParseFromString(msg.data)
        kept = set(self._names())
        for f in data.files:
            if not is_plain(f.name) or (f.name not in kept and len(kept) >= MOST_FILES):
                logging.warning("left out %.100r of %s", f.name, msg.node)
                continue
            self._write(f.name, f.data)
            kept.add(f.name)
            self.newfiles.append(f.name)

    def processREQUEST(self, msg: Any) -> Any:
        """Get FileList or File."""
        if msg.type == "FileList":
            return self.getFileList(False)
        if msg.type == "File":
            return self.getFileData(msg.filename)
        return None

    def getUpdateMessage(self) -> Any:
        """Send update FileList if something changed."""
        if len(self.newfiles) <= 0:
            return None
        self.newfiles = []
        return self.getFileList(True)

    def getFileList(self, adddata: bool) -> bytes:
        """All files, with what is in them or without."""
        data = messages.Files()
        for name in self._names():
            file = data.files.add()
            file.name = name
            try:
                modtime, content = self._read(name)
            except OSError as error:
                logging.warning("Failed open/read %s: %s", name, error.strerror)
                continue
            file.modtime = modtime
            if adddata:
                file.data = content
        serialised: bytes = data.SerializeToString()
        return serialised

    def getFileData(self, name: str) -> bytes | None:
        """One file, None where there is none that can be read."""
        if not is_plain(name):
            return None
        data = messages.Files()
        file = data.files.add()
        file.name = name
        try:
            file.modtime, file.data = self._read(name)
        except OSError as error:
            logging.warning("Failed open/read %s: %s", name, error.strerror)
            return None
        serialised: bytes = data.SerializeToString()
        return serialised

    def _names(self) -> list[str]:
        return sorted(name for name in os.listdir(self.folder) if is_plain(name))

    def _write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; what has its name, be it a link, gives way to it."""
        if os.path.isdir(os.path.join(self.storagedir, name)):
            logging.warning("left out %s, which is a folder here", name)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        opened = os.open(_TEMPORARY, flags, 0o600, dir_fd=self.folder)
        with open(opened, "wb") as fp:
            fp.write(content)
        os.replace(_TEMPORARY, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def _read(self, name: str) -> tuple[float, bytes]:
        """When a file was changed, and what is in it; a link is no file, nor is a pipe."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(name, flags, dir_fd=self.folder), "rb") as fp:
            facts = os.fstat(fp.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise OSError(0, "no plain file")
            return facts.st_mtime, fp.read()


def is_plain(name: str) -> bool:
    """Whether a name is that of a file in the folder, and of nothing else."""
    if not name or name.startswith(".") or "/" in name or not name.isprintable():
        return False
    return len(name.encode(errors="replace")) <= LONGEST_NAME


def _own_folder(path: str) -> int:
    """The folder, opened; it must be ours alone, since anybody may make one in /tmp."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    facts = os.fstat(folder)
    if facts.st_uid != os.getuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path} is not ours alone; set FILE_PROCESSOR_DIR to one that is")
    return folder
