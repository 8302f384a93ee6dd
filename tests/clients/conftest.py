"""The services that the foreign clients are run against."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.clients.stub import GROUP, Stub, running_stub
from tests.databases import DATABASES
from tests.service import RunningService


@pytest.fixture(scope="module", params=["stub", *DATABASES])
def running(
    request: pytest.FixtureRequest, services: Callable[[str], RunningService]
) -> Iterator[Stub | RunningService]:
    """The stub, which is strict with requests, and the real service on each database."""
    if request.param == "stub":
        with running_stub() as stub:
            yield stub
    else:
        real = services(request.param)
        yield real
        real.end_entries()


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A stub of its own, for what needs no real service."""
    with running_stub() as found:
        yield found


@pytest.fixture
def service_url(running: Stub | RunningService) -> str:
    """The address of a group that no other test uses; the stub has but one."""
    return f"{running.url}{GROUP}" if isinstance(running, Stub) else running.next_group()
