"""The metadata store in a file: read once, shared by all requests, read again when it changes."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from lxml import etree

from aggregator.errors import RequestError
from aggregator.measurement.building import STORE
from aggregator.measurement.metadata_store import Pair, StoreUnreadable, contents, keys_of
from aggregator.measurement.searching import search_for
from aggregator.measurement.stored import StoredMetadata
from aggregator.wire.nmwg_names import NMWG
from aggregator.wire.parse import Element, Limits, parse

log = logging.getLogger(__name__)

#: A file that the service itself writes.
_LIMITS = Limits(size=2**30, nodes=2**31, depth=64)
_Mark = tuple[int, int, int]


class FileStore:
    """A file with an nmwg:store; for threads."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._lock = Lock()
        self._mark: _Mark | None = None
        self._found: _Snapshot | None = None
        self._problem = ""

    @contextlib.contextmanager
    def opened(self) -> Iterator[_Snapshot]:
        """What the file holds now; one that can't be read is not tried again until it changes."""
        yield self._current()

    def _current(self) -> _Snapshot:
        with self._lock:
            mark = self._look()
            if mark != self._mark:
                self._mark = mark
                self._read()
            if self._found is None:
                raise StoreUnreadable(self._problem)
            return self._found

    def is_readable(self) -> bool:
        """Whether it can be opened now; what is wrong is in the log."""
        try:
            self._current()
        except StoreUnreadable:
            return False
        return True

    def _look(self) -> _Mark:
        try:
            found = self._path.stat()
        except OSError as error:
            raise StoreUnreadable(f"the metadata store can't be opened: {error}") from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> None:
        try:
            root = parse(self._path.read_bytes(), limits=_LIMITS)
            if root.tag != STORE:
                raise StoreUnreadable(f"its root is {root.tag}; expected is {STORE}")
            self._found = _Snapshot(root)
        except (OSError, RequestError, StoreUnreadable) as error:
            # What it held before would be told for what it holds now.
            self._found = None
            problem = f"the metadata store {self._path} can't be read: {error}"
            if problem != self._problem:
                log.error("%s", problem)
            self._problem = problem
            if isinstance(error, OSError):
                # Its rights, or the files that a process may have open: the file does not change.
                self._mark = None
        else:
            self._problem = ""

    def replace(self, store: Element) -> bool:
        """Write the file anew, unless it holds just that; readers see the old one or the new."""
        text = etree.tostring(store, xml_declaration=True, encoding="UTF-8", pretty_print=True)
        try:
            if self._path.exists() and self._path.read_bytes() == text:
                return False
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self._path.with_name(f"{self._path.name}.tmp")) as beside:
                beside.truncate(0)
                beside.write(text)
                beside.flush()
                os.fsync(beside.fileno())
                Path(beside.name).replace(self._path)
        except OSError as error:
            raise StoreUnreadable(f"the metadata store can't be written: {error}") from error
        return True


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """A file open for one writer; who waited meanwhile, and finds it moved away, makes another."""
    while True:
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _inode(path) == os.fstat(file.fileno()).st_ino:
                yield file
                return


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


class _Snapshot:
    """What the file held when it was read; nothing changes it."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._metadata = contents(root)
        self._keys = keys_of(self._metadata)
        # An evaluation may let other threads run, and one is short.
        self._lock = Lock()

    def by_key(self, ma_key: str) -> Pair | None:
        """What a maKey stands for; None for one that is unknown."""
        data = self._keys.get(ma_key)
        return None if data is None else Pair(self._metadata.get(data.metadata_id), data)

    def search(self, metadata: Element) -> list[StoredMetadata]:
        """What matches a request's metadata."""
        search = search_for(metadata)
        if search is None:
            return []
        find = etree.XPath(f"nmwg:metadata[{search.condition}]", namespaces={"nmwg": NMWG})
        with self._lock:
            found: Any = find(self._root, **search.values)
        # Of two with one id the first is known.
        known = (self._metadata[one.get("id", "")] for one in found)
        return [one for one, element in zip(known, found, strict=True) if one.element is element]

    def all(self) -> list[StoredMetadata]:
        """Everything."""
        return list(self._metadata.values())
