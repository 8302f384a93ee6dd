"""``aggregator measurement``: what was measured, from files into the store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from aggregator.cli.database import settings_options
from aggregator.config import Settings
from aggregator.errors import ConfigError
from aggregator.registry.opening import store_of
from aggregator.store.engine import Store, sqlite_path
from aggregator.store.measured_loading import Loaded, load_folder
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.migrate import schema_is_current


@click.group(
    short_help="Measurements of networks, into the store.",
    epilog="Example: aggregator measurement load --data-dir ./data ./measured",
)
def measurement() -> None:
    """Work on the measurements in the store, whether the service runs or not."""


@measurement.command(epilog="Example: aggregator measurement load --data-dir ./data ./measured")
@settings_options
@click.argument("folder", type=click.Path(path_type=Path))
def load(*, settings: Settings, folder: Path) -> None:
    """Load the files of FOLDER: bwctl/DATES.csv and what it lists, owamp/DATES.csv and the like.

    All of them are checked before anything is written. What was loaded before stays as it is, so
    that the same folder may be loaded again.
    """
    with _opened(settings) as store, _progress() as told:
        loaded = load_folder(folder, OwnMeasurements(store), progress=told)
    click.echo(_summary(loaded))


def _summary(loaded: Loaded) -> str:
    what = (
        f"{_counted(loaded.throughput, 'measurement')} of throughput and"
        f" {_counted(loaded.delays, 'sample')} of delays, of {_counted(loaded.tests, 'test')}"
    )
    return f"{what}; {loaded.new} were new"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    path = sqlite_path(settings.database_url, data_dir=settings.server.data_dir)
    if path is not None and not path.exists():
        raise ConfigError(
            f"there is no database at {path}; name its folder with --data-dir, or its URL with"
            " --database, or make one with `aggregator migrate`"
        )
    store = store_of(settings)
    try:
        if not schema_is_current(store):
            raise ConfigError(
                "the database is not of this version: run `aggregator migrate`, or start the"
                " service once"
            )
        yield store
    finally:
        store.close()


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None]]:
    """Shows at a terminal how far it is."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console  # noqa: PLC0415  (only for people)
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task: Any = shown.add_task("checking", total=None)

        def tell(done: int, total: int | None) -> None:
            name = "checking" if total is None else "loading"
            shown.update(task, description=name, completed=done, total=total)

        yield tell
