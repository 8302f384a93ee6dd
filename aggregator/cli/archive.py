"""``aggregator archive``: numbers over time, and exports, from the store itself."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from aggregator.archive.export import DOCUMENTS, NUMBERS, documents, export, numbers
from aggregator.archive.opening import opened
from aggregator.archive.series import Plot, Plotted, plot, plotted
from aggregator.archive.showing import COLUMNS, Row, as_json, rows
from aggregator.archive.table_files import FORMS
from aggregator.cli.database import settings_options
from aggregator.cli.instants import END, instant
from aggregator.cli.showing import show_json, show_table
from aggregator.config.kinds import Refused
from aggregator.config.measures import duration
from aggregator.errors import ConfigError, RequestError
from aggregator.store.archive_reading import Wanted

Callback = Callable[..., Any]
_GROUP = "ArchiveService"


@click.group(
    short_help="Numbers over time, and exports, of what was kept.",
    epilog="Example: aggregator archive series --data-dir ./data free_cpus --bucket 5m",
)
def archive() -> None:
    """Read what an archive keeps, whether the service runs or not."""


def _selection(callback: Callback) -> Callback:
    """The options that say of which archive, member and time."""
    for option in reversed(
        (
            click.option("--group", default=_GROUP, show_default=True, help="Whose archive."),
            click.option("--member", default="", metavar="ADDRESS", help="Of this member alone."),
            click.option("--entry", default="", metavar="KEY", help="Of this entry alone."),
            click.option(
                "-from", "--from", "since", default="", metavar="ISO8601", help="From when on."
            ),
            click.option("-to", "--to", "until", default="", metavar="ISO8601", help="Until when."),
        )
    ):
        callback = option(callback)
    return callback


@archive.command(epilog="Example: aggregator archive series free_cpus --bucket 5m --output csv")
@settings_options
@_selection
@click.option("--bucket", default="1h", show_default=True, help="Length of a bucket: 5m, 1h, 1d.")
@click.option(
    "--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="How the result is written; csv comes as it is read, however much there is.",
)  # fmt: skip
@click.argument("name")
def series(
    *,
    settings: Any,
    group: str,
    member: str,
    entry: str,
    since: str,
    until: str,
    bucket: str,
    output: str,
    name: str,
) -> None:
    """Show the series NAME in buckets: how many numbers, min, max, mean and last of each.

    Buckets are aligned to their length; one in which nothing came is shown with a count of 0. By
    default it is the last day. Buckets of times whose numbers were condensed are no shorter than
    the group's series_bucket.
    """
    with opened(settings, group) as found:
        try:
            asked = plot(
                name,
                now=found.store.clock.now(),
                since=instant("-from", since),
                until=instant("-to", until),
                width=duration(1, 366 * 86400).read(bucket),
                member=member,
                entry=entry,
            )
        except (Refused, RequestError) as error:
            raise ConfigError(str(error)) from error
        _show(group, asked, _pages(partial(plotted, found.store, found.group_id), asked), output)


def _pages(
    read: Callable[[Plot], tuple[list[Plotted], int | None]], asked: Plot
) -> Iterator[Plotted]:
    while True:
        found, after = read(asked)
        yield from found
        if after is None:
            return
        asked = Plot(
            asked.name, asked.since, asked.until, asked.width, asked.member, asked.entry, after
        )


def _show(group: str, asked: Plot, found: Iterator[Plotted], output: str) -> None:
    if output == "json":
        show_json([as_json(group, asked, list(found), None)])
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in found:
            writer.writerows(rows(asked, one))
    else:
        show_table(COLUMNS, [_cells(row) for one in found for row in rows(asked, one)])


def _cells(row: Row) -> list[str]:
    member, entry, at, count, *values = row
    return [member, entry, at, str(count), *("" if one is None else f"{one:g}" for one in values)]


@archive.command(
    "export", epilog="Example: aggregator archive export --format csv --what series numbers.csv"
)
@settings_options
@_selection
@click.option("--format", "form", type=click.Choice(FORMS), required=True, help="Kind of file.")
@click.option(
    "--what",
    type=click.Choice(["deliveries", "series"]),
    default="deliveries",
    show_default=True,
    help="Documents with the time for which they came, or each number that is kept by itself.",
)
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_(
    *,
    settings: Any,
    group: str,
    member: str,
    entry: str,
    since: str,
    until: str,
    form: str,
    what: str,
    force: bool,
    file: Path,
) -> None:
    """Write what an archive holds into FILE, oldest first, which is there once it is whole."""
    with opened(settings, group) as found, _progress() as told:
        begin, end = instant("-from", since), instant("-to", until)
        wanted = Wanted(begin or 0, END if end is None else end, member, entry_key=entry)
        of_documents = what == "deliveries"
        made = documents(found, wanted) if of_documents else numbers(found, wanted)
        columns = DOCUMENTS if of_documents else NUMBERS
        count = export(made, columns, file, form=form, overwrite=force, progress=told)
    click.echo(f"{count} rows to {file}")


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Shows at a terminal how many rows were written."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console  # noqa: PLC0415  (only for people)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)
        yield lambda count: shown.advance(task, count)
