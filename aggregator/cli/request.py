"""``aggregator request``: ask the aggregators of reports, as a GUI does."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.report_options import client_of, good, service_options
from aggregator.cli.toolkit import Toolkit
from aggregator.errors import ConfigError


@click.command(
    cls=OneLineCommand,
    short_help="Ask the aggregators of reports.",
    epilog="\b\nExample:\n  aggregator request --token-file gui.token File filename=a.txt -o a.pb",
)
@service_options
@click.option(
    "-o",
    "--output-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the answer to a file.",
)
@click.argument("type")
@click.argument("arguments", metavar="[KEY=VALUE]...", nargs=-1)
def request(
    *,
    toolkit: Toolkit,
    token_file: str,
    output_file: Path | None,
    type: str,
    arguments: tuple[str, ...],
) -> None:
    """Send a REQUEST of TYPE with arguments, and write the answer as it is.

    Where the aggregators have nothing to answer (HTTP status 204), nothing is written, and the exit
    status is 0 all the same.
    """
    pairs = dict(_pair(one) for one in arguments)
    answer = good(client_of(toolkit, token_file).request(type, pairs))
    if answer.status == 204:
        click.echo("nothing", err=True)
        return
    if output_file is not None:
        output_file.write_bytes(answer.body)
    elif sys.stdout.isatty() and answer.content_type.startswith("application/octet-stream"):
        click.echo(f"{len(answer.body)} bytes, which are no text: name a file with -o", err=True)
    else:
        sys.stdout.buffer.write(answer.body)
        sys.stdout.buffer.flush()


def _pair(given: str) -> tuple[str, str]:
    name, separator, value = given.partition("=")
    if not separator or not name:
        raise ConfigError(f"{given!r} is no argument such as filename=a.txt")
    return name, value
