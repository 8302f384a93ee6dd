"""The command ``aggregator check``: what would be refused of a configuration file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from aggregator.config import ConfigurationError, load_settings


@click.command(short_help="Say what would be refused of a configuration file.")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say what `aggregator serve --config FILE` would refuse in this environment.

    Prints "ok" and exits with 0, or prints one line for each problem and exits with 2. Nothing is
    started or changed. All settings are in docs/configuration.md.

    Example: aggregator check /etc/aggregator.toml
    """
    # The plug-ins are loaded for it, which `--help` need not wait for.
    from aggregator.run.preparation import amiss  # noqa: PLC0415

    try:
        load_settings(file, environ=os.environ, options={}, further=amiss)
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        raise click.exceptions.Exit(2) from error
    click.echo("ok")
