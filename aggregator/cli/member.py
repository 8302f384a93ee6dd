"""``aggregator member``: publish this host as a WSRF resource."""

from __future__ import annotations

from pathlib import Path

import click

from aggregator.cli.failing import told_errors
from aggregator.member.configuration import load_member
from aggregator.member.serve import serve
from aggregator.member.settings import DEFAULT_PORT
from aggregator.run import logs


@click.command(epilog="Example: aggregator member --port 9080 --config member.toml")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port", type=int, help=f"Port to listen on; 0 takes a free one.  [default: {DEFAULT_PORT}]"
)
@click.option(
    "--config",
    "files",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="A TOML file, or an rpprovider file of MDS4; several are read together.",
)
@click.option(
    "--public-url", metavar="URL", help="Where clients reach it.  [default: the bound address]"
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least that is logged.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="How it is logged; auto is text at a terminal, JSON elsewhere.",
)
@told_errors
def member(files: tuple[Path, ...], log_level: str, log_format: str, **options: object) -> None:
    """Publish this host's resource properties until SIGTERM or Ctrl-C.

    Without --config these are its GLUE facts: processors, memory, load, file systems. With it they
    come from executables, files, URLs or the host, each at its own period (docs/member.md).
    Ready when it prints "listening on URL".
    """
    settings = load_member(files, options=options)
    logs.configure(level=log_level, form=log_format, role="member")
    serve(settings, announce=lambda address: click.echo(f"listening on {address}"))
