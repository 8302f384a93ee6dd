"""Reloads and restarts on a bad day: each of these once ended who should have gone on."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests import soap
from tests.collector_process import running_collector
from tests.integration import collector_kit
from tests.integration.collector_kit import Bench
from tests.integration.test_durability import keys
from tests.integration.test_serve import get, role
from tests.integration.tls_kit import secured_service
from tests.service import running_service, start_service
from tests.waiting import until

bench, embedded = collector_kit.bench, collector_kit.embedded


def test_a_collector_heeds_each_signal_however_they_follow(embedded: Bench) -> None:
    with running_collector(embedded.config) as process:
        for _ in range(150):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        assert process.poll() is None
        lives = embedded.log().count("collecting 0 entries")
        until(lambda: embedded.log().count("collecting 0 entries") > lives, what="another life")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0


def test_a_reload_as_it_starts_ends_no_role(tmp_path: Path) -> None:
    service = start_service(tmp_path, options=["--no-web"])
    try:
        until(lambda: role(service, "collector"), what="a collector that starts")
        old = role(service, "collector")
        assert old is not None
        for _ in range(40):
            old.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        until(lambda: "collecting 0 entries" in service.logs(), what="a collector that collects")
        assert role(service, "collector") == old
    finally:
        assert service.stop() == 0


def test_a_reload_while_the_store_is_away_keeps_the_workers_that_still_answer(
    tmp_path: Path,
) -> None:
    config = "[store]\nwrite_timeout = '1s'\nbusy_timeout = '1s'\n"
    with running_service(tmp_path, config=config) as service:
        soap.add(service.group, "http://127.0.0.1:1/a")
        with closing(sqlite3.connect(tmp_path / "aggregator.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            service.process.send_signal(signal.SIGHUP)
            until(lambda: "SIGHUP changed nothing" in service.logs(), what="the refusal logged")
            assert "the database can't be prepared" in service.logs()
            assert get(f"{service.url}/healthz")[0] == 200
            assert len(keys(service.group)) == 1
            other.execute("ROLLBACK")
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "configuration read again" in service.logs(), what="the reload")


def probing(folder: Path, tail: str = "") -> str:
    """A configuration with a probe folder of its own, which is made."""
    folder.mkdir(mode=0o755, exist_ok=True)
    return f"[server]\nworkers = 2\n[probes]\nfolder = '{folder}'\n{tail}"


def test_who_dies_while_the_configuration_is_edited_comes_back_as_it_was(tmp_path: Path) -> None:
    config = probing(tmp_path / "probes")
    with running_service(tmp_path / "data", config=config) as service:
        (tmp_path / "data" / "aggregator.toml").write_text(config + "[serv")
        for name in ("web", "query", "collector"):
            old = until(lambda name=name: role(service, name), what=name)
            for process in (*old.children(), old):
                process.kill()
            until(lambda name=name, old=old: role(service, name) not in (None, old), what=name)
        until(lambda: get(f"{service.url}/readyz")[0] == 200, what="ready again")
        assert soap.query(service.group, "count(//*)").status == 200
        until(lambda: json.loads(get(f"{service.url}/readyz")[1])["collector"] == "running")
        assert "ended with status 2" not in service.logs()


def workers(folder: Path) -> int:
    """How many web workers have started so far that they can answer."""
    with closing(sqlite3.connect(folder / "aggregator.db")) as store:
        return int(store.execute("SELECT count(*) FROM processes WHERE role = 'web'").fetchone()[0])


def test_a_worker_that_cannot_start_leaves_its_sibling_alone(tmp_path: Path) -> None:
    config = probing(tmp_path / "probes")
    with running_service(tmp_path / "data", config=config) as service:
        web = until(lambda: role(service, "web"), what="web")
        until(lambda: workers(service.data_dir) == 2, what="two workers")
        (tmp_path / "probes").rename(tmp_path / "away")
        web.children()[0].kill()
        until(lambda: "can't start and is tried again" in service.logs(), what="a line about it")
        for _ in range(30):
            assert get(f"{service.url}/healthz")[0] == 200
            time.sleep(0.1)
        (tmp_path / "away").rename(tmp_path / "probes")
        until(lambda: len(web.children()) == 2, what="two workers again")
        assert "Traceback" not in service.logs()


def test_a_reload_with_a_broken_certificate_changes_nothing(tmp_path: Path) -> None:
    with secured_service(tmp_path, config="[server]\nworkers = 2\n", clients=False) as secured:
        until(lambda: workers(secured.service.data_dir) == 2, what="two workers")
        Path(secured.server.cert).write_text("-----BEGIN CERTIFICATE-----\nhalf of it")
        service = secured.service
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP changed nothing" in service.logs(), what="the refusal logged")
        # Nor does a worker that dies now end those beside it.
        web = until(lambda: role(service, "web"), what="web")
        web.children()[0].kill()
        until(lambda: "can't start and is tried again" in service.logs(), what="a line about it")
        assert '"alive"' in secured.get("/healthz")


SINK = """
from aggregator.contract import AggregatorSink, SinkType

class Keeping(AggregatorSink):
    def check(self, config, *, group):
        return None

    async def deliver(self, batch, *, context):
        for delivery in batch:
            context.tables.write("INSERT INTO sink_keep (at) VALUES (:at)", at=delivery.at)
        return [None for _ in batch]

STEPS = (("CREATE TABLE sink_keep (at BIGINT NOT NULL)",),)
PLUGIN = SinkType("keep", Keeping(), migrations=STEPS)
"""


def test_a_sink_that_is_installed_before_a_reload_has_its_tables(tmp_path: Path) -> None:
    site = tmp_path / "site"
    config = "[groups.DefaultIndexService]\nsinks = ['index'{}]\n"
    environ = {"PYTHONPATH": str(site)}
    with running_service(tmp_path / "data", config=config.format(""), environ=environ) as service:
        soap.add(service.group, "http://127.0.0.1:1/", soap.execution_config("host"))
        about = site / "keeping-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: keeping\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[aggregator.sinks]\nkeep = keeping:PLUGIN\n")
        (site / "keeping.py").write_text(SINK)
        (tmp_path / "data" / "aggregator.toml").write_text(config.format(", 'keep'"))
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "configuration read again" in service.logs(), what="the reload")
        with closing(sqlite3.connect(tmp_path / "data" / "aggregator.db")) as store:
            kept = until(
                lambda: store.execute("SELECT at FROM sink_keep").fetchall(),
                what="a delivery to the new sink",
            )
        assert all(at > 0 for (at,) in kept)
        assert "Traceback" not in service.logs()
