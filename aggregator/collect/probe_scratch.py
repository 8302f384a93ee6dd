"""The folder in which probes run: it is a probe's alone, and emptied when the probe has ended.

It is the probe's working directory, HOME and TMPDIR, so that a probe that is killed leaves no
temporary file. A keeper gives the same folder to one probe after the other: to make one and to
remove it takes as long as to start a small probe.
This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
import time

_OURS = stat.S_IFDIR | 0o700


class Folders:
    """The folders of one keeper: the one in use, and those that did not let themselves be emptied.

    They lie in `scratch` and their names are the keeper's, or begin with it and a full stop.
    """

    def __init__(self, scratch: str, keeper: str) -> None:
        self._scratch = scratch
        self._keeper = keeper
        self._folder = os.path.join(scratch, keeper)

    def clean(self) -> str:
        """A folder that is empty and that only this user can enter; OSError where that fails.

        One that is there already may have been done anything to.
        """
        if not _is_clean(self._folder):
            remove(self._folder)
            try:
                os.mkdir(self._folder, 0o700)
            except FileExistsError:
                name = f"{self._keeper}.{os.urandom(8).hex()}"
                self._folder = os.path.join(self._scratch, name)
                os.mkdir(self._folder, 0o700)
        return self._folder

    def empty(self, *, within: float = math.inf) -> bool:
        """Delete what is in the folder in use; whether that was done within so many seconds."""
        if _is_clean(self._folder):
            return True
        empty(self._folder, until=time.monotonic() + within)
        return _is_clean(self._folder)

    def there(self) -> list[str]:
        """The folders that there are."""
        with contextlib.suppress(OSError):
            names = os.listdir(self._scratch)
            ours = [name for name in names if name.split(".")[0] == self._keeper]
            return [os.path.join(self._scratch, name) for name in ours]
        return []

    def remove(self) -> None:
        """Delete them all."""
        for folder in self.there():
            remove(folder)


def _is_clean(folder: str) -> bool:
    with contextlib.suppress(OSError):
        if os.lstat(folder).st_mode == _OURS:
            with os.scandir(folder) as entries:
                return next(entries, None) is None
    return False


def empty(folder: str, *, until: float = math.inf) -> None:
    """Delete what a folder holds, as far as it lets itself be deleted.

    It is given up at `until`, an instant of the monotonic clock. However deep the folders lie in
    each other, those of each are moved up to the outermost, so that nothing is as deep as they.
    """
    # Something else may have been put in its place, a link to what is none of ours.
    if not _is_folder(folder):
        return
    kept: set[str] = set()
    while names := [name for name in _listed(folder) if name not in kept]:
        for name in names:
            if time.monotonic() > until:
                return
            if not _deleted(os.path.join(folder, name), folder, until):
                kept.add(name)


def remove(folder: str) -> None:
    """Delete a folder with all that it holds, as far as it lets itself be deleted."""
    with contextlib.suppress(OSError):
        if not _is_folder(folder):
            os.unlink(folder)
            return
        os.chmod(folder, 0o700)
        empty(folder)
        os.rmdir(folder)


def _listed(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


def _deleted(path: str, outermost: str, until: float) -> bool:
    """Delete a file, or a folder whose own folders move up; whether it is gone."""
    with contextlib.suppress(OSError):
        if not _is_folder(path):
            os.unlink(path)
            return True
        os.chmod(path, 0o700)
        for name in _listed(path):
            if time.monotonic() > until:
                return False
            _taken_out(os.path.join(path, name), outermost)
        os.rmdir(path)
        return True
    return False


def _taken_out(path: str, outermost: str) -> None:
    with contextlib.suppress(OSError):
        if _is_folder(path):
            os.chmod(path, 0o700)  # Only a folder that may be written can be moved.
            os.rename(path, os.path.join(outermost, os.urandom(16).hex()))
        else:
            os.unlink(path)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
