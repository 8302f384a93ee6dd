"""The folder in which probes run: each has one of its own, removed with all that it holds.

It is the probe's working directory, HOME and TMPDIR, so that a probe that is killed leaves no
temporary file. This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os


def empty(folder: str) -> None:
    """Delete what a folder holds, as far as it lets itself be deleted."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove(entry.path)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def remove(folder: str) -> None:
    """Delete a folder with all that it holds, as far as it lets itself be deleted."""
    empty(folder)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
