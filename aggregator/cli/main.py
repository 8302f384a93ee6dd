"""The ``aggregator`` command; each subcommand's modules are loaded when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from aggregator import __version__
from aggregator.cli.one_line import OneLineCommand

#: Subcommand to the module in this package that holds it under its own name.
COMMANDS: Mapping[str, str] = {
    "serve": "serve",
    "demo": "demo",
    "member": "member",
    "query": "query",
    "entries": "entries",
    "report": "report",
    "request": "request",
    "watch": "watch",
    "reports": "reports",
    "check": "check",
    "migrate": "database",
    "backup": "database",
    "archive": "archive",
    "measurement": "measurement",
    "version": "version",
}


class _LazyGroup(OneLineCommand, click.Group):
    """Knows its subcommands by name and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands in the order of the documentation."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        found = getattr(importlib.import_module(f"aggregator.cli.{module}"), cmd_name)
        assert isinstance(found, click.Command)
        return found


@click.command(
    cls=_LazyGroup,
    epilog="Example: aggregator serve --port 8080 --data-dir ./data",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="aggregator")
def main() -> None:
    """A registry and monitor for services that speak SOAP and WSRF."""
