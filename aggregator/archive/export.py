"""What an archive holds, as a table in a file: documents or numbers, as CSV or Parquet.

It is read a page at a time and written as it comes. The file gets its name when it is whole; until
then, and where that fails, nobody finds half a file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from aggregator.archive.document import document
from aggregator.archive.opening import Opened
from aggregator.archive.table_files import Column, TableFile, table_file
from aggregator.errors import ConfigError
from aggregator.store.archive_export import points_after, series_after
from aggregator.store.archive_packing import Bases
from aggregator.store.archive_reading import Wanted, read_page
from aggregator.store.archive_unpacking import Place
from aggregator.wire.times import exact_time

#: Documents, bytes of them, and numbers that are read at once.
_PAGE, _PAGE_SIZE, _POINTS = 1000, 4 * 2**20, 20_000

DOCUMENTS = (
    Column("member", "text"),
    Column("entry", "text"),
    Column("first", "instant"),
    Column("last", "instant"),
    Column("deliveries", "number"),
    Column("document", "text"),
)
NUMBERS = (
    Column("member", "text"),
    Column("entry", "text"),
    Column("series", "text"),
    Column("at", "instant"),
    Column("value", "value"),
)

Row = tuple[str | int | float | datetime, ...]
Rows = Iterator[list[Row]]
#: Told of rows that were written.
Progress = Callable[[int], None]


def documents(archive: Opened, wanted: Wanted) -> Rows:
    """Rows of `DOCUMENTS`, page by page, in the order of their first delivery."""
    bases = Bases()
    place: Place | None = None
    while True:
        page = archive.store.query(
            partial(
                read_page,
                group_id=archive.group_id,
                wanted=wanted,
                after=place,
                most=_PAGE,
                budget=_PAGE_SIZE,
                bases=bases,
            )
        )
        if page.spans:
            place = page.spans[-1].place
            yield [
                (
                    one.address,
                    one.entry_key,
                    exact_time(one.first),
                    exact_time(one.last),
                    one.deliveries,
                    document(one.children).decode(),
                )
                for one in page.spans
            ]
        if not page.more:
            return


def numbers(archive: Opened, wanted: Wanted) -> Rows:
    """Rows of `NUMBERS`, page by page: each number that is still kept by itself, by series."""
    after = 0
    while True:
        series = archive.store.query(
            partial(series_after, group_id=archive.group_id, wanted=wanted, after=after)
        )
        if series is None:
            return
        after, at = series.id, wanted.since - 1
        while True:
            points = archive.store.query(
                partial(
                    points_after, series_id=series.id, after=at, until=wanted.until, most=_POINTS
                )
            )
            if points:
                at = points[-1][0]
                yield [
                    (series.member, series.entry, series.name, exact_time(instant), value)
                    for instant, value in points
                ]
            if len(points) < _POINTS:
                break


def export(
    rows: Rows,
    columns: tuple[Column, ...],
    path: Path,
    *,
    form: str,
    overwrite: bool,
    progress: Progress = lambda count: None,
) -> int:
    """Write rows into a file; how many. ConfigError where it is there and may not be replaced."""
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} is there already; give --force to replace it")
    written = 0
    with _new_file(path, overwrite=overwrite) as made, table_file(form, made, columns) as table:
        written = _write_all(rows, table, progress)
    return written


def _write_all(rows: Rows, table: TableFile, progress: Progress) -> int:
    written = 0
    for page in rows:
        table.write(page)
        written += len(page)
        progress(len(page))
    return written


@contextmanager
def _new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A file beside `path`, which takes its place once the block has ended well."""
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {os.strerror(error.errno or 0)}") from error
    os.close(number)
    made = Path(name)
    try:
        yield made
        with made.open("rb") as stream:
            os.fsync(stream.fileno())
        _place(made, path, overwrite=overwrite)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {os.strerror(error.errno or 0)}") from error
    finally:
        with suppress(FileNotFoundError):
            made.unlink()


def _place(made: Path, path: Path, *, overwrite: bool) -> None:
    # As a new file of this user would be.
    mask = os.umask(0)
    os.umask(mask)
    made.chmod(0o666 & ~mask)
    if overwrite:
        made.replace(path)
        return
    try:
        # Unlike a rename, it takes nobody's place who came meanwhile.
        os.link(made, path)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; give --force to replace it") from None
