"""``aggregator demo``: the whole service on this machine, with something in it."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from aggregator.cli.entries import read_row
from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.showing import readable, show_table
from aggregator.client.resource import Resource
from aggregator.client.soap import SoapClient
from aggregator.errors import RemoteError
from aggregator.run.demonstration import Demonstration, DemonstrationFailed, demonstration
from aggregator.run.demonstration_file import COUNT
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import OASIS
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import Element

_ROUND_WITHIN = 60.0
_ENDING = (signal.SIGINT, signal.SIGTERM)


@click.command(
    cls=OneLineCommand,
    short_help="Show the whole service on this machine.",
    epilog="Example: aggregator demo --once",
)
@click.option("--once", is_flag=True, help="End after the first full round; print the XML.")
@click.option("--port", type=int, default=0, help="Port of the service; 0 picks a free one.")
def demo(*, once: bool, port: int) -> None:
    """Run a service on an embedded database, a member, and registrations of every kind of source.

    Prints the index as a table and the address to open, and runs until Ctrl-C.
    """
    with tempfile.TemporaryDirectory(prefix="aggregator-demo-") as folder:
        # SIGTERM ends the demonstration as Ctrl-C does: its processes are taken along.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with demonstration(Path(folder), port=port) as running:
                found = _first_round(running)
                if once:
                    for entry in found:
                        click.echo(readable(entry))
                    return
                # From here on they are waited for: none comes between the last line and the wait.
                signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
                _show(running, found)
                signal.sigwait(_ENDING)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            click.echo("ended")


def _first_round(running: Demonstration) -> Sequence[Element]:
    """The entries, once each of them has data."""
    group = Resource(SoapClient(), EndpointReference(running.group), OASIS)
    deadline = time.monotonic() + _ROUND_WITHIN
    progress = Progress(console=Console(stderr=True), transient=True)
    with progress:
        task = progress.add_task("waiting for the first data", total=COUNT)
        while time.monotonic() < deadline:
            found = _entries(group)
            collected = [entry for entry in found if read_row(entry).data]
            progress.update(task, completed=len(collected))
            if len(collected) >= COUNT:
                return found
            time.sleep(0.2)
    raise DemonstrationFailed(
        f"{len(collected)} of {COUNT} entries have data after {_ROUND_WITHIN:.0f} s"
    )


def _entries(group: Resource) -> Sequence[Element]:
    try:
        return group.get_property(ns.clark(OASIS.sg, "Entry"))
    except RemoteError:
        return ()


def _show(running: Demonstration, found: Sequence[Element]) -> None:
    rows = [read_row(entry) for entry in found]
    show_table(
        ("member", "source", "data", "error"),
        [(row.member, row.source, ", ".join(row.data), row.error) for row in rows],
    )
    click.echo(f"\nThe service is at {running.url}/ (open it in a browser).")
    click.echo(f"Query it:  bin/wsrf-query -s {running.group} \"count(//*[local-name()='Entry'])\"")
    click.echo("Ctrl-C ends the demonstration.")
