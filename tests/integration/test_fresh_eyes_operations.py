"""What a bad day of operations brought to light: each of these once lost or broke something."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aggregator.collect.probe_client import ProbeClient
from aggregator.errors import StoreUnavailable
from aggregator.wire.dialects import DIALECTS
from aggregator.wire.envelope import SOAP11
from aggregator.wire.faults import write_fault
from tests import soap
from tests.collector_process import running_collector
from tests.integration import collector_kit
from tests.integration.collector_kit import Bench
from tests.integration.probe_kit import became, shell, with_server
from tests.integration.test_durability import keys
from tests.integration.test_serve import get, role
from tests.member import gone
from tests.misbehaving import MisbehavingServer, misbehaving
from tests.service import RunningService, free_port, running_service, start_service
from tests.stores import opened
from tests.waiting import until

bench, embedded = collector_kit.bench, collector_kit.embedded


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with misbehaving() as running:
        yield running


def test_a_probe_given_up_as_it_ends_costs_no_other_its_run(tmp_path: Path) -> None:
    async def give_up(client: ProbeClient) -> None:
        pid = client.server_pid
        other = asyncio.create_task(shell(client, "sleep 2; echo there"))
        given_up = asyncio.create_task(shell(client, f"touch {tmp_path}/begun; sleep 0.2"))
        await became((tmp_path / "begun").exists)
        # Both come in while the server can't look: that nobody waits any more, and the result.
        os.kill(pid, signal.SIGSTOP)
        await became(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        given_up.cancel()
        await asyncio.sleep(1)
        os.kill(pid, signal.SIGCONT)
        result = await other
        assert (result.outcome, result.stdout) == ("exit", b"there\n")
        assert client.server_pid == pid

    with_server(give_up)


def test_a_collector_that_finds_its_lease_lost_goes_on_without_a_trace(
    embedded: Bench, server: MisbehavingServer
) -> None:
    entries = [embedded.register(f"{server.url}/ok?{n}", interval=100) for n in range(20)]
    with running_collector(embedded.config) as process:
        embedded.wait_data(entries[-1])
        for _ in range(3):
            process.send_signal(signal.SIGSTOP)
            time.sleep(1.7)
            process.send_signal(signal.SIGCONT)
            wanted = len(server.journal.asked) + 40
            until(lambda wanted=wanted: len(server.journal.asked) > wanted)
    log = embedded.log()
    assert log.count("is lost") >= 3
    assert "Traceback" not in log


def test_hosts_whose_data_folders_were_cloned_collect_each_member_once(
    bench: Bench, server: MisbehavingServer
) -> None:
    bench.register(f"{server.url}/ok", interval=200)
    config = bench.config.read_text()
    folder = bench.settings.server.data_dir
    with running_collector(bench.config):
        until(lambda: len(server.journal.asked) > 1)
        copy = shutil.copytree(folder, folder.with_name("copy"))
        other = bench.config.with_name("other.toml")
        other.write_text(config.replace(str(folder), str(copy)))
        with running_collector(other):
            time.sleep(0.5)
            polled = len(server.journal.asked)
            time.sleep(2)
            assert 8 <= len(server.journal.asked) - polled <= 12


def test_nothing_is_acknowledged_once_the_data_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "data 100%#1"
    config = "[server]\nworkers = 1\n[store]\nstale_reads = '1s'\n"
    with running_service(folder, config=config) as service:
        kept = soap.add(service.group, "http://127.0.0.1:1/a").key
        soap.query(service.group, "count(//*)")
        folder.rename(tmp_path / "moved")
        assert soap.call(service.group, soap.add_body("http://127.0.0.1:1/b")).fault == (
            "ResourceUnavailableFault",
            "writing to the store: the database's file was removed or replaced; put it back, or "
            "restart the service",
        )
        until(lambda: get(f"{service.url}/readyz")[0] == 503, what="not ready")
        (tmp_path / "moved").rename(folder)
        added = until(lambda: soap.call(service.group, soap.add_body("http://127.0.0.1:1/c")))
        until(lambda: get(f"{service.url}/readyz")[0] == 200, what="ready again")
        assert keys(service.group) == {kept, soap.entry_of(added).key}
        shutil.rmtree(folder)
        for number in range(4):
            member = f"http://127.0.0.1:1/{number}"
            assert soap.call(service.group, soap.add_body(member)).status == 500
        assert not folder.exists()


def served(*options: str, within: float = 30) -> tuple[int, str]:
    """Exit status and standard error of a start that fails."""
    command = [sys.executable, "-m", "aggregator", "serve", "--port", str(free_port()), *options]
    found = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)
    return found.returncode, found.stderr


def test_a_data_folder_that_cannot_be_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, said = served("--data-dir", str(tmp_path / "file" / "data"))
    assert status == 2
    assert said.startswith(f"error: server.data_dir: {tmp_path}/file/data can't be used: Not a dir")
    assert len(said.splitlines()) == 1


def test_a_file_that_is_no_database_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "aggregator.db").write_bytes(b"dear diary, " * 1000)
    status, said = served("--data-dir", str(tmp_path), "--log-format", "text")
    assert status == 1
    assert "file is not a database" in said
    assert len(said.splitlines()) == 1


def test_a_second_service_leaves_the_first_its_folder_and_its_queries(
    service: RunningService,
) -> None:
    soap.add(service.group, "http://127.0.0.1:1/a")
    status, said = served("--data-dir", str(service.data_dir))
    assert (status, f"(process {service.process.pid})" in said) == (2, True)
    assert "give each service its own --data-dir" in said
    assert soap.query(service.group, "count(//*)").status == 200


def test_a_start_that_waits_for_a_silent_database_ends_when_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://postgres@127.0.0.1:{silent.getsockname()[1]}/test"
        service = start_service(
            tmp_path, options=["--no-web", "--database", url], environ={"PGCONNECT_TIMEOUT": "60"}
        )
        silent.settimeout(15)
        with silent.accept()[0]:
            assert service.stop(within=3) == 0
    assert "Traceback" not in service.logs()


def test_metrics_stay_right_and_small_over_crashes_and_reloads(service: RunningService) -> None:
    soap.add(service.group, "http://127.0.0.1:1/a")
    shards = "\naggregator_collector_shards 64.0\n"
    until(lambda: shards in get(f"{service.url}/metrics")[1], what="a collector with its shards")
    for _ in range(3):
        for name in ("web", "collector"):
            old = until(lambda name=name: role(service, name), what=name)
            for process in (*old.children(), old):
                process.kill()
            psutil.wait_procs([old], timeout=10)
        until(lambda: get(f"{service.url}/readyz")[0] == 200, what="ready again")
        until(lambda: json.loads(get(f"{service.url}/readyz")[1])["collector"] == "running")
        until(lambda: shards in get(f"{service.url}/metrics")[1], what="64 shards, counted once")
    assert (
        'aggregator_adds_total{group="DefaultIndexService",outcome="accepted"} 1.0'
        in (get(f"{service.url}/metrics")[1])
    )

    def only_the_living_have_files() -> bool:
        get(f"{service.url}/metrics")
        files = [file.stem for file in (service.data_dir / "metrics").glob("*.db")]
        pids = {name.rpartition("_")[2] for name in files} - {"ended"}
        return all(not gone(int(pid)) for pid in pids)

    until(only_the_living_have_files)


def test_clients_are_not_told_where_the_database_is(tmp_path: Path) -> None:
    port = free_port()
    store = opened(f"postgresql+psycopg://keeper@127.0.0.1:{port}/registry", tmp_path)
    try:
        with pytest.raises(StoreUnavailable) as refusal:
            store.ping()
        fault = write_fault(refusal.value, version=SOAP11, dialect=DIALECTS["oasis"], now=0).body
    finally:
        store.close()
    assert b"reading from the store: the database can't be reached" in fault
    assert str(port).encode() not in fault
    assert str(port) in str(refusal.value), "the log tells"
