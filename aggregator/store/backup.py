"""A copy of the embedded database, taken while the service goes on."""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from aggregator.errors import ConfigError
from aggregator.store.engine import sqlite_path
from aggregator.store.trouble import translated


def backup(store_url: str, target: Path) -> None:
    """Copy the database at `store_url` to the new file `target`.

    The copy holds what was committed when it began; writers are not held up. Raises ConfigError
    for what can't be copied and for a target that exists.
    """
    source = sqlite_path(store_url, data_dir=Path())
    if source is None:
        raise ConfigError(
            "the store is a PostgreSQL database, which this does not copy; use pg_dump",
            element="store.url",
        )
    if not source.is_file():
        raise ConfigError(f"there is no database at {source}", element="store.url")
    if target.exists():
        raise ConfigError(f"{target} exists already; name a new file", element="FILE")
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with translated(f"copying {source}"):
            _copy(source, part)
        # A link, unlike a move, fails where a file came up in the meantime.
        os.link(part, target)
        _sync(target.parent)
    except OSError as error:
        raise ConfigError(f"{target} can't be written: {error.strerror}", element="FILE") from error
    finally:
        for path in (part, part.with_name(part.name + "-journal")):
            path.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> None:
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(part)) as copy:
            # All pages in one step: with several, every commit in between starts it anew.
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            if (found := copy.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(f"the copy is damaged: {found}")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
