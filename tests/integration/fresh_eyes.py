"""A service of two workers with plain registries, and Adds to them, for what a stranger found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import DATABASES
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.soap import NS

CONFIG = """
[server]
workers = 2
[groups.Plain]
sinks = ["index"]
require_source = false
[groups.Other]
sinks = ["index"]
require_source = false
[groups.Grown]
sinks = ["index"]
require_source = false
[groups.Renewing]
sinks = ["index"]
on_duplicate = "renew"
"""
OASIS = NS["oasis"]
MEMBER = "<sg:MemberEPR><wsa:Address>urn:member</wsa:Address></sg:MemberEPR>"


@pytest.fixture(scope="module", params=DATABASES)
def seen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service of two workers, on each database."""
    folder: Path = tmp_path_factory.mktemp("seen")
    with with_tables(request.param, folder) as url:
        options = ["--database", url]
        with running_service(folder, config=CONFIG, options=options) as running:
            yield running


def plain(service: RunningService, name: str = "Plain") -> str:
    """The address of a plain registry."""
    return f"{service.url}/wsrf/services/{name}"


def add_plain(content: str, *, member: str = MEMBER, declare: str = "") -> str:
    """An Add to a plain registry."""
    return (
        f'<sg:Add xmlns:sg="{OASIS["sg"]}" xmlns:wsa="{OASIS["wsa"]}" {declare}>{member}'
        f"<sg:Content>{content}</sg:Content></sg:Add>"
    )
