"""``aggregator migrate`` and ``aggregator backup``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from aggregator.cli.failing import told_errors
from aggregator.config import Settings, load_settings, option_help

_config = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="TOML file of settings."
)
_data_dir = click.option(
    "--data-dir", type=click.Path(file_okay=False), help=option_help("server.data_dir")
)
_database = click.option("--database", metavar="URL", help=option_help("store.url"))


def _settings(config: Path | None, data_dir: str | None, database: str | None) -> Settings:
    given = {"server.data_dir": data_dir, "store.url": database}
    options = {name: value for name, value in given.items() if value is not None}
    return load_settings(config, environ=dict(os.environ), options=options)


def settings_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which database, as the keyword argument `settings`."""

    @wraps(callback)
    @told_errors
    def wrapper(
        config: Path | None, data_dir: str | None, database: str | None, **given: Any
    ) -> Any:
        return callback(settings=_settings(config, data_dir, database), **given)

    return _config(_data_dir(_database(wrapper)))


@click.command(epilog="Example: aggregator migrate --data-dir ./data")
@_config
@_data_dir
@_database
@told_errors
def migrate(config: Path | None, data_dir: str | None, database: str | None) -> None:
    """Bring the database's schema up to date; `serve` does it too when it starts."""
    from aggregator.run.preparation import migrate_all  # noqa: PLC0415  (the store is heavy)

    migrate_all(_settings(config, data_dir, database))
    click.echo("the database is up to date")


@click.command(epilog="Example: aggregator backup --data-dir ./data copy.db")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_config
@_data_dir
@_database
@told_errors
def backup(file: Path, config: Path | None, data_dir: str | None, database: str | None) -> None:
    """Copy the embedded database to FILE while the service goes on."""
    from aggregator.store.backup import backup as copy  # noqa: PLC0415  (the store is heavy)

    copy(_settings(config, data_dir, database).database_url, file)
    click.echo(f"copied to {file}")
