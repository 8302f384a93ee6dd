"""What probes measure ends in the measurement archive: the sink `measurement` in a real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import soap
from tests.databases import DATABASES, database
from tests.integration.test_measurement_service import post
from tests.measured import IPERF_EVENT, UNIX, data, find, message, metadata, pair
from tests.service import RunningService, running_service
from tests.waiting import until

CONFIG = """
[measurement]
metadata_db_type = "file"
[probes]
folder = "probes"
[groups.Measured]
sinks = ["index", "measurement"]
"""
MEASURED = metadata(subject=pair(), types=[IPERF_EVENT])


def probe(folder: Path, name: str, told: str) -> None:
    """A probe that prints a document; each run tells one more minute."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{told}\nEND\n")
    program.chmod(0o755)


def measured(minute: int, *, throughput: str = "9.5e8") -> str:
    row = (
        f'<iperf:datum timeType="unix" timeValue="{UNIX + 60 * minute}.0"'
        f' throughput="{throughput}"/>'
    )
    inner = MEASURED + f'<nmwg:data id="d1" metadataIdRef="m1">{row}</nmwg:data>'
    return message(inner, type="MetadataStorageRequest").decode()


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("measured")
    probes = folder / "probes"
    probe(probes, "measures", measured(0))
    probe(probes, "wrong", measured(1, throughput="fast"))
    probe(probes, "other", "<other xmlns='urn:x'/>")
    with (
        database(request.param, folder) as url,
        running_service(folder, config=CONFIG, options=["--database", url]) as found,
    ):
        yield found


def group(service: RunningService) -> str:
    return f"{service.url}/wsrf/services/Measured"


def add(service: RunningService, name: str) -> soap.EntryReference:
    return soap.add(group(service), f"http://{name}.example.org/", soap.execution_config(name))


def rows(service: RunningService) -> list[str | None]:
    found = find(post(service, message(MEASURED + data())), "nmwg:data/iperf:datum")
    return [one.get("timeValue") for one in found]


def test_what_a_probe_prints_is_told_by_the_archive(service: RunningService) -> None:
    entry = add(service, "measures")
    until(lambda: rows(service), within=30)
    # It prints the same again and again, and is kept once.
    until(lambda: "iperf:datum" in published(service), within=30)
    assert rows(service) == ["Wed Aug 25 14:20:00.0 UTC 2010"]
    probe(service.data_dir / "probes", "measures", measured(2))
    until(lambda: len(rows(service)) == 2, within=30)
    soap.destroy(entry)
    # What was measured stays.
    assert len(rows(service)) == 2


def test_what_cannot_be_kept_is_published_and_told_in_the_log(service: RunningService) -> None:
    before = rows(service)
    entry = add(service, "wrong")
    until(lambda: "its measurements can't be kept" in service.logs(), within=30)
    assert "'fast' is no throughput" in service.logs()
    assert "fast" in published(service)
    assert rows(service) == before
    soap.destroy(entry)


def test_documents_of_other_kinds_pass_by(service: RunningService) -> None:
    entry = add(service, "other")
    until(lambda: "urn:x" in published(service), within=30)
    soap.destroy(entry)


def published(service: RunningService) -> str:
    return "".join(etree.tostring(one).decode() for one in soap.entries(group(service)))
