"""The probes of a running service: which may run, from where, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import soap
from tests.service import RunningService, running_service
from tests.soap import AGG
from tests.waiting import until

PROBE = """#!/bin/sh
echo "<w:where xmlns:w='urn:where' at='$GLOBUS_LOCATION'>$0 $1</w:where>"
"""
ALLOWED = ("plain", "site/rack/power")
MEMBER = "http://127.0.0.1:1/probed"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Laid out as $GLOBUS_LOCATION was, with probes in sub-folders."""
    root = tmp_path_factory.mktemp("globus").resolve()
    for name in (*ALLOWED, "other", "site/other"):
        file = root / "libexec" / "aggrexec" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PROBE)
        file.chmod(0o755)
    return root


@pytest.fixture(scope="module")
def service(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = f'[probes]\nfolder = "{root}/libexec/aggrexec"\nallowed = {list(ALLOWED)}\n'
    with running_service(tmp_path_factory.mktemp("service"), config=config) as running:
        yield running


@pytest.mark.parametrize("asked", ["plain", "site/rack/power", " x:site/rack/power\n"])
def test_an_allowed_probe_runs_and_knows_the_root(
    service: RunningService, root: Path, asked: str
) -> None:
    entry = soap.add(service.group, MEMBER, soap.execution_config(asked, millis=600_000))

    def data() -> list[object]:
        content = soap.get_property(entry.address, "sg:Content", header=entry.header)
        return list(content.body.iterfind(f".//{{{AGG}}}AggregatorData/{{urn:where}}where"))

    (where,) = until(data, what="the data of the probe")
    name = asked.strip().rpartition(":")[2]
    assert where.text == f"{root}/libexec/aggrexec/{name} {MEMBER}"
    assert where.get("at") == str(root)


@pytest.mark.parametrize("asked", ["other", "site/other", "site", "http", "../aggrexec/plain"])
def test_any_other_refuses_the_add_and_names_those_that_may_run(
    service: RunningService, asked: str
) -> None:
    before = len(soap.entries(service.group))
    body = soap.add_body(MEMBER, soap.execution_config(asked, millis=600_000))
    name, text = soap.call(service.group, body).fault
    assert name == "AddRefusedFault"
    assert "ProbeName" in text
    assert "allowed here: plain, site/rack/power" in text
    assert len(soap.entries(service.group)) == before
