"""``bin/demo``, as somebody who has just cloned the project runs it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from lxml import etree

from tests import soap
from tests.integration.commands import environment
from tests.member import gone
from tests.sources_read import ROOT
from tests.waiting import until

#: The kinds of source, and the elements that each brings.
KINDS = {
    "GetResourcePropertyPollType": ["Host"],
    "GetMultipleResourcePropertiesPollType": ["Host", "ServiceMetaDataInfo"],
    "QueryResourcePropertiesPollType": ["ProcessorLoad"],
    "ExecutionPollType": ["Http"],
    "AggregatorSubscriptionType": ["Host"],
}


def command() -> list[str]:
    """The launcher where a checkout is installed in place, else what it starts."""
    if (ROOT / ".venv" / "bin" / "aggregator").exists():
        return [str(ROOT / "bin" / "demo")]
    return [sys.executable, "-m", "aggregator", "demo"]


def surroundings(folder: Path) -> dict[str, str]:
    """An environment whose temporary files are all in the folder; wide enough for the table."""
    known = {k: v for k, v in environment().items() if k != "AGGREGATOR_TEST_VENV"}
    return {**known, "TMPDIR": str(folder), "COLUMNS": "250"}


@contextlib.contextmanager
def running(folder: Path, temporary: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The demonstration in a process group of its own, as a terminal runs it, and its output."""
    out = folder / "demo.out"
    with out.open("wb") as stream:
        process = subprocess.Popen(
            command(),
            stdout=stream,
            stderr=stream,
            env=surroundings(temporary),
            start_new_session=True,
        )
    try:
        yield process, out
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def rows(text: str) -> dict[str, tuple[str, str]]:
    """What the table says: data and error by source."""
    lines = text.splitlines()
    (header,) = (number for number, line in enumerate(lines) if line.startswith("MEMBER"))
    member, source, data, error = (
        lines[header].index(name) for name in ("MEMBER", "SOURCE", "DATA", "ERROR")
    )
    table = lines[header + 1 : header + 1 + len(KINDS)]
    assert all(line[member:source].rstrip().endswith("/HostService") for line in table), text
    return {
        line[source:data].strip(): (line[data:error].strip(), line[error:].strip())
        for line in table
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_shows_a_table_and_an_address_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with running(tmp_path, temporary) as (process, out):
        until(
            lambda: "Ctrl-C ends" in out.read_text() or process.poll() is not None,
            within=150,
            what="the demonstration is shown",
        )
        text = out.read_text()
        assert process.poll() is None, text
        assert rows(text) == {kind: (", ".join(data), "") for kind, data in KINDS.items()}
        found = re.search(r"The service is at (http://127\.0\.0\.1:\d+)/ ", text)
        assert found, text
        with urllib.request.urlopen(f"{found[1]}/", timeout=10) as answer:
            assert "DefaultIndexService" in answer.read().decode()
        assert len(soap.entries(f"{found[1]}/wsrf/services/DefaultIndexService")) == len(KINDS)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) > len(KINDS)
        os.killpg(process.pid, number)
        assert process.wait(60) == 0, out.read_text()
        assert out.read_text().rstrip().endswith("ended")
    until(lambda: all(gone(child.pid) for child in family), what="all of its processes gone")
    assert list(temporary.iterdir()) == []


def test_once_prints_the_index_and_leaves_nothing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*command(), "--once"],
        capture_output=True,
        text=True,
        env=surroundings(tmp_path),
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    shown = etree.fromstring(f"<all>{ended.stdout}</all>")
    assert len(shown) == len(KINDS)
    found = {}
    for entry in shown:
        (block,) = entry.find(".//{*}AggregatorConfig")
        data = list(entry.find(".//{*}AggregatorData"))
        assert all(element.xpath("normalize-space() or .//@*") for element in data), "no values"
        names = dict.fromkeys(etree.QName(element).localname for element in data)
        found[etree.QName(block).localname] = list(names)
        assert entry.find(".//{*}AggregatorError") is None
    assert found == KINDS
    assert list(tmp_path.iterdir()) == []
