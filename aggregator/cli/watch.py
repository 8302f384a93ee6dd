"""``aggregator watch``: show what aggregators push, as it comes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

import click

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.report_options import client_of, service_options
from aggregator.cli.toolkit import Toolkit
from aggregator.client.event_stream import StreamEvent
from aggregator.client.reports import ReportClient
from aggregator.errors import RemoteError

#: Seconds until a stream that ended is asked for again: the first, and the longest.
_FIRST, _LONGEST = 0.5, 15.0


@click.command(
    cls=OneLineCommand,
    short_help="Watch the updates of the aggregators.",
    epilog="\b\nExample:\n  aggregator watch --token-file gui.token --after 0 FileList",
)
@service_options
@click.option(
    "--after",
    default="",
    metavar="ID",
    help="Begin after this update; 0 for all that are kept [default: what comes from now on].",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many updates.")
@click.argument("types", metavar="[TYPE]...", nargs=-1)
def watch(
    *, toolkit: Toolkit, token_file: str, after: str, count: int | None, types: tuple[str, ...]
) -> None:
    """Write each update of the TYPEs, or of all, as a line of JSON, until interrupted.

    A line has id, type, aggregator, time, encoding and data. A lost connection is made again, and
    the stream goes on where it was; what is kept no more by then is told on standard error.
    """
    if after and not after.isdecimal():
        raise click.UsageError(f"--after {after!r} is no id of an update")
    left = count
    for event in _followed(client_of(toolkit, token_file), types, after):
        if event.name in ("missed", "reset"):
            click.echo(f"{event.name}: {event.data}", err=True)
            continue
        click.echo(json.dumps({"id": event.id, **json.loads(event.data)}, ensure_ascii=False))
        if left is not None:
            left -= 1
            if not left:
                return


def _followed(client: ReportClient, types: tuple[str, ...], after: str) -> Iterator[StreamEvent]:
    """The events of one stream after the other; RemoteError where the first can't be begun."""
    pause, began = _FIRST, False

    def note(id: str) -> None:
        nonlocal after
        after = id

    while True:
        try:
            for event in client.watch(types, after=after, on_id=note):
                pause, began = _FIRST, True
                yield event
            began = True
        except RemoteError as error:
            if not began:
                raise
            click.echo(f"the stream broke off, and is asked for again: {error}", err=True)
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST)
