"""The folder in which probes run: it is a probe's alone, and emptied when the probe has ended.

It is the probe's working directory, HOME and TMPDIR, so that a probe that is killed leaves no
temporary file. A keeper gives the same folder to one probe after the other: to make one and to
remove it takes as long as to start a small probe.
This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import stat

_OURS = stat.S_IFDIR | 0o700


def clean(folder: str) -> None:
    """Make a folder that is empty and that only this user can enter; OSError where that fails.

    One that is there already may have been done anything to.
    """
    if not _is_clean(folder):
        remove(folder)
        os.mkdir(folder, 0o700)


def _is_clean(folder: str) -> bool:
    with contextlib.suppress(OSError):
        if os.lstat(folder).st_mode == _OURS:
            with os.scandir(folder) as entries:
                return next(entries, None) is None
    return False


def empty(folder: str) -> None:
    """Delete what a folder holds, as far as it lets itself be deleted."""
    # Something else may have been put in its place, a link to what is none of ours.
    if not _is_folder(folder):
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove(entry.path)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def remove(folder: str) -> None:
    """Delete a folder with all that it holds, as far as it lets itself be deleted."""
    with contextlib.suppress(OSError):
        if not _is_folder(folder):
            os.unlink(folder)
            return
        os.chmod(folder, 0o700)
        empty(folder)
        os.rmdir(folder)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
