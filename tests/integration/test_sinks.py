"""A group with several sinks: the first owns the entries' content, no failure stops another."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import soap
from tests.databases import DATABASES
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.soap import AGG, EntryReference
from tests.waiting import until

PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "sink-samples"
version = "1.0"
[project.entry-points."aggregator.sinks"]
failing = "sink_samples:FAILING"
broken = "sink_samples:BROKEN"
stamp = "sink_samples:STAMP"
picky = "sink_samples:PICKY"
[tool.setuptools]
py-modules = ["sink_samples"]
"""
MODULE = '''
"""Sinks that fail, that bring content of their own, and that refuse registrations."""

from aggregator.contract import SinkType
from aggregator.errors import ConfigError
from aggregator.testing import FailingSink, RecordingSink

FAILING = FailingSink().type()
BROKEN = FailingSink(KeyError("a bug of this sink"), name="broken").type()


class StampSink(RecordingSink):
    async def deliver(self, batch, *, context):
        await super().deliver(batch, context=context)
        count = {}
        for one in self.deliveries:
            count[one.entry.key] = count.get(one.entry.key, 0) + 1
        return [(b"<stamp>%d</stamp>" % count[one.entry.key],) for one in batch]


class PickySink(RecordingSink):
    def check(self, config, *, group):
        if config.find("{urn:picky}Rule") is None:
            raise ConfigError(f"{group.name} wants a Rule", element="Rule")


STAMP = StampSink(name="stamp").type()
PICKY = PickySink(name="picky").type()
'''
CONFIG = """
[groups.OwnerFirst]
sinks = ["index", "failing", "broken"]
min_interval_millis = 100
[groups.StampFirst]
sinks = ["stamp", "index"]
min_interval_millis = 100
[groups.FailingFirst]
sinks = ["failing", "index", "stamp"]
min_interval_millis = 100
[groups.Picky]
sinks = ["index", "picky"]
"""
PROBED = soap.execution_config("aggregator-exec-test", millis=300)
MEMBER = "http://127.0.0.1:1/m"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a package with sinks was installed into by pip."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "sink_samples.py").write_text(MODULE)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation"]
    command += ["--no-deps", "--no-index", "--target", str(folder / "target"), str(folder)]
    subprocess.run(command, check=True, timeout=100)
    return folder / "target"


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, plugins: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    paths = filter(None, (str(plugins), os.environ.get("PYTHONPATH", "")))
    environ = {"PYTHONPATH": os.pathsep.join(paths)}
    with (
        with_tables(request.param, folder) as url,
        running_service(
            folder, config=CONFIG, options=["--database", url], environ=environ
        ) as running,
    ):
        yield running


def content(service: RunningService, group: str, entry: EntryReference) -> etree._Element:
    for found in soap.entries(f"{service.url}/wsrf/services/{group}"):
        if found.findtext(f".//{{{AGG}}}EntryKey") == entry.key:
            return found[-1]
    raise AssertionError("the entry is gone")


def data(service: RunningService, group: str, entry: EntryReference) -> list[etree._Element]:
    return list(content(service, group, entry).find(f"{{{AGG}}}AggregatorData"))


def errors(service: RunningService, group: str, entry: EntryReference) -> list[etree._Element]:
    return list(content(service, group, entry).findall(f"{{{AGG}}}AggregatorError"))


def failures(service: RunningService, sink: str) -> float:
    """How many deliveries a sink refused, by the metrics."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    named = [line for line in lines if "delivery_failures_total" in line and f'"{sink}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in named)


def test_sinks_that_fail_after_the_first_stop_nothing(service: RunningService) -> None:
    group = f"{service.url}/wsrf/services/OwnerFirst"
    entry = soap.add(group, MEMBER, PROBED)
    (first,) = until(lambda: data(service, "OwnerFirst", entry), what="collected data")
    assert etree.QName(first).localname == "exampleProbedInformation"
    time = first.findtext("time")
    until(
        lambda: data(service, "OwnerFirst", entry)[0].findtext("time") != time,
        what="newer data",
    )
    assert errors(service, "OwnerFirst", entry) == []
    assert failures(service, "failing") > 0
    assert failures(service, "broken") > 0
    until(lambda: "a bug of this sink" in service.logs(), what="the traceback in the log")
    assert "KeyError" in service.logs()


def test_the_first_sink_says_what_an_entry_publishes(service: RunningService) -> None:
    entry = soap.add(f"{service.url}/wsrf/services/StampFirst", MEMBER, PROBED)
    assert until(
        lambda: (
            [child.tag for child in data(service, "StampFirst", entry)] == ["stamp"]
            and int(data(service, "StampFirst", entry)[0].text) >= 2
        ),
        what="what the first sink publishes",
    )


def test_a_first_sink_that_fails_publishes_nothing_and_the_entry_says_so(
    service: RunningService,
) -> None:
    entry = soap.add(f"{service.url}/wsrf/services/FailingFirst", MEMBER, PROBED)
    # On a busy machine the first that is told may be that there is no data yet.
    until(
        lambda: [
            trouble.findtext(".//{*}code")
            for trouble in errors(service, "FailingFirst", entry)
            if "this sink takes nothing" in trouble.findtext(".//{*}message")
        ],
        what="an AggregatorError of the entry that tells why",
    )
    assert data(service, "FailingFirst", entry) == []


def test_every_sink_may_refuse_an_add_and_leaves_nothing_behind(service: RunningService) -> None:
    group = f"{service.url}/wsrf/services/Picky"
    name, text = soap.call(group, soap.add_body(MEMBER)).fault
    assert (name, "Picky wants a Rule" in text) == ("AddRefusedFault", True)
    assert soap.entries(group) == []
    ruled = soap.IDLE.replace(
        "</agg:AggregatorConfig>", '<p:Rule xmlns:p="urn:picky"/></agg:AggregatorConfig>'
    )
    assert soap.add(group, MEMBER, ruled).key
