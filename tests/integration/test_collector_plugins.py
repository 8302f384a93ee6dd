"""A source and a sink from a package of somebody else, installed by pip, without a change here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.contract import SinkType
from aggregator.registry.plugins import find_plugins
from aggregator.store.migrate import migrate_sink
from tests.collector_process import running_collector
from tests.integration import collector_kit
from tests.integration.collector_kit import Bench, until
from tests.misbehaving import VALUE, misbehaving, response

bench = collector_kit.bench
PACKAGE = Path(__file__).parents[1] / "samples" / "plugin_package"
BLOCK = """<d:DocumentPollType xmlns:d="http://example.org/aggregator/document">
<d:PollIntervalMillis>{interval}</d:PollIntervalMillis></d:DocumentPollType>"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package was installed into."""
    folder = tmp_path_factory.mktemp("plugins")
    source, target = folder / "source", folder / "target"
    shutil.copytree(PACKAGE, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation"]
    command += ["--no-deps", "--no-index", "--target", str(target), str(source)]
    subprocess.run(command, check=True, timeout=100)
    return target


@pytest.fixture
def on_path(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package found by this process and by those that it starts."""
    monkeypatch.syspath_prepend(str(installed))
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(installed), inherited))))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "site_plugins"]:
        del sys.modules[name]


@pytest.mark.usefixtures("on_path")
def test_a_foreign_source_and_sink_are_found_and_work(bench: Bench) -> None:
    plugins = find_plugins()
    assert "{http://example.org/aggregator/document}DocumentPollType" in plugins.sources
    counter = plugins.sinks["counter"]
    assert isinstance(counter, SinkType)
    migrate_sink(bench.store, counter.name, counter.migrations)
    bench.configure('[groups.DefaultIndexService]\nsinks = ["index", "counter"]\n')

    def counted(key: str) -> int:
        sql = f"SELECT deliveries FROM sink_counter_entries WHERE entry = '{key}'"
        with bench.store.read() as connection:
            return int(connection.exec_driver_sql(sql).scalar() or 0)

    with misbehaving() as server, running_collector(bench.config):
        entry = bench.register(f"{server.url}/ok", BLOCK)
        assert VALUE in bench.wait_data(entry).data[0]
        until(lambda: counted(entry.key) >= 3)
        assert bench.entry(entry).data == (response(VALUE).partition(b"\n")[2],)
        failing = bench.register(f"{server.url}/html", BLOCK)
        assert bench.wait_error(failing).health.error_code == "not-xml"
        bench.remove(entry)
        until(lambda: counted(entry.key) == 0)


def test_without_it_neither_is_there() -> None:
    assert "counter" not in find_plugins().sinks
