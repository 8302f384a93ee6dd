"""``aggregator version``."""

from __future__ import annotations

import platform

import click

from aggregator import __version__


@click.command(epilog="Example: aggregator version")
def version() -> None:
    """Print the version of this program and of what it runs on."""
    click.echo(f"mds-aggregator {__version__} (Python {platform.python_version()})")
