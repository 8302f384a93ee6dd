"""Fixtures for all tests: real services, real databases, and no network for unit tests."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import service as services_started
from tests.databases import DATABASES, database
from tests.migrated import with_tables
from tests.service import RunningService, groups, running_service

HERE = Path(__file__).parent
#: Published schemas and samples to hold ours against; they are no part of the project.
SHARED = HERE.parent.parent / "shared" / "reference"
#: More than all tests of a module take that share a service; who follows changes reads them all.
SHARED_GROUPS = 120
#: A database server has connections for some services at a time, each of four processes or more.
FEW = "[store]\npool_size = 3\n"
#: Fixtures that begin with the migration of their database.
_MIGRATING = {"store", "bench"}

services_started.copies = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the modules that wait for long begin first, so that the last ones to end are short."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def _no_network_in_unit_tests(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if HERE / "unit" not in request.path.parents:
        return

    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("a unit test opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, as the URL that the setting ``store.url`` takes; once of each kind.

    Where a fixture of the test migrates it at once, it may have its tables already.
    """
    migrated = not _MIGRATING.isdisjoint(request.fixturenames)
    with (with_tables if migrated else database)(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A service with default settings, alone for this test."""
    with running_service(tmp_path / "service") as running:
        yield running


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningService]]:
    """The service on a kind of database that a module's tests share, started where first asked for.

    One that all modules shared would cost more while it waits than the starts do. The kind is no
    parameter of the fixture: pytest would end the one to start the other.
    """
    with contextlib.ExitStack() as until_the_end:

        @functools.cache
        def service_on(kind: str) -> RunningService:
            folder = tmp_path_factory.mktemp("service")
            url = until_the_end.enter_context(with_tables(kind, folder))
            options = ["--database", url]
            return until_the_end.enter_context(
                running_service(folder, config=FEW + groups(SHARED_GROUPS), options=options)
            )

        yield service_on


@pytest.fixture(scope="module", params=DATABASES)
def served(
    request: pytest.FixtureRequest, services: Callable[[str], RunningService]
) -> Iterator[RunningService]:
    """The shared service on each database; nobody stops it, kills it or configures it anew.

    Its groups are taken with `next_group`.
    """
    service = services(request.param)
    yield service
    service.end_entries()


@pytest.fixture
def group(served: RunningService) -> str:
    """The address of a group of the shared service that no other test uses."""
    return served.next_group()
