"""A service with a module's own configuration, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import DATABASES
from tests.migrated import with_tables
from tests.service import RunningService, running_service


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service configured by the `CONFIG` of the module that asks, once on each database."""
    folder = tmp_path_factory.mktemp("service")
    with (
        with_tables(request.param, folder) as url,
        running_service(
            folder, config=request.module.CONFIG, options=["--database", url]
        ) as running,
    ):
        yield running
