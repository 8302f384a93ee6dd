"""``aggregator serve`` as an operator meets it: start, signals, crashes, health, metrics."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import soap
from tests.databases import DATABASES, database
from tests.member import gone
from tests.service import RunningService, free_port, groups, running_service, start_service
from tests.waiting import until

pytestmark = pytest.mark.long


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def role(service: RunningService, name: str) -> psutil.Process | None:
    """The process that plays a role, None while there is none."""
    for child in psutil.Process(service.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if child.name() == f"mds-{name}":
                return child
    return None


def test_who_stops_or_kills_a_service_finds_its_registrations_again_and_none_of_its_processes(
    tmp_path: Path, database_url: str
) -> None:
    """SIGTERM ends it in time; a killed supervisor takes its children along; the port is free."""
    options = ["--database", database_url]
    with running_service(tmp_path, options=options) as service:
        children = psutil.Process(service.process.pid).children(recursive=True)
        port = int(service.url.rpartition(":")[2])
        soap.add(service.group, "http://127.0.0.1:1/a")
        began = time.monotonic()
        assert service.stop(within=10) == 0
        assert time.monotonic() - began < 10
    assert all(gone(child.pid) for child in children)
    again = start_service(tmp_path, port=port, options=options)
    try:
        (entry,) = soap.entries(again.group)
        assert entry.findtext("{*}MemberServiceEPR/{*}Address") == "http://127.0.0.1:1/a"
        children = psutil.Process(again.process.pid).children(recursive=True)
    finally:
        again.kill()
    until(lambda: all(gone(child.pid) for child in children), what="children gone")
    # One that was just being started may have been in no list.
    until(lambda: is_free(port), what="a free port")


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


CONFIG = "[groups.Small]\nsinks = ['index']\nmax_entries = {}\n"


@pytest.fixture(scope="module", params=DATABASES)
def own(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service on each database of which parts are killed and which is configured anew."""
    folder = tmp_path_factory.mktemp("service")
    config = CONFIG.format(1) + groups(10)
    with (
        database(request.param, folder) as url,
        running_service(folder, config=config, options=["--database", url]) as running,
    ):
        yield running


@pytest.mark.parametrize("name", ["web", "query", "collector"])
def test_a_killed_role_is_started_again(own: RunningService, name: str) -> None:
    service, group = own, own.next_group()
    soap.add(group, "http://127.0.0.1:1/a")
    old = until(lambda: role(service, name), what=name)
    old.kill()
    until(lambda: (new := role(service, name)) and new.pid != old.pid, what=f"a new {name}")
    until(lambda: get(f"{service.url}/readyz")[0] == 200, what="ready again")
    assert len(soap.entries(group)) == 1
    until(lambda: soap.query(group, "count(//*)").status == 200, what="queries again")


def test_health_and_readiness(served: RunningService) -> None:
    assert get(f"{served.url}/healthz")[0] == 200
    body = until(
        lambda: (
            (found := json.loads(get(f"{served.url}/readyz")[1]))["collector"] == "running"
            and found
        )
    )
    assert body["status"] == "ready"
    assert body["store"] == "ok"


def test_pages_for_people_and_no_traces(served: RunningService) -> None:
    status, page = get(f"{served.url}/")
    assert (status, "DefaultIndexService" in page) == (200, True)
    status, page = get(served.group)
    assert (status, "QueryResourceProperties" in page) == (200, True)
    assert get(f"{served.url}/nowhere")[0] == 404
    assert get(f"{served.group}?wsdl")[1].startswith("<?xml")
    assert get(f"{served.group}?wsdl=gt4")[1].startswith("<?xml")
    assert get(f"{served.url}/schemas/../../../etc/passwd")[0] == 404


def test_sighup_reads_the_configuration_again(own: RunningService) -> None:
    file, more = own.data_dir / "aggregator.toml", groups(10)
    small = f"{own.url}/wsrf/services/Small"
    soap.add(small, "http://127.0.0.1:1/a")
    assert soap.call(small, soap.add_body("http://127.0.0.1:1/b")).status == 500
    file.write_text(CONFIG.format("'many'") + more)
    own.process.send_signal(signal.SIGHUP)
    until(lambda: "SIGHUP changed nothing" in own.logs(), what="the refusal logged")
    assert soap.call(small, soap.add_body("http://127.0.0.1:1/b")).status == 500
    file.write_text(CONFIG.format(5) + more + "[server]\nport = 1\n")
    own.process.send_signal(signal.SIGHUP)
    until(
        lambda: soap.call(small, soap.add_body("http://127.0.0.1:1/b")).status == 200,
        what="the new limit",
        every=0.5,
    )
    assert len(soap.entries(small)) >= 2


def test_everything_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """What the settings alone show, and what only the plug-ins and probes at hand do."""
    file = tmp_path / "wrong.toml"
    command = [sys.executable, "-m", "aggregator", "serve", "--config", str(file)]
    command += ["--data-dir", str(tmp_path / "data"), "--port", "0"]
    plug_in = f'{file}:2: groups.X.sinks.1: unknown sink "indx"; did you mean index?'
    probe = f'{file}:4: probes.allowed.1: the probe "htp" does not exist; did you mean http?'
    key = f"{file}:5: probes.tiemout: unknown key; did you mean timeout?"
    for text, wanted in (("", [plug_in, probe]), ("tiemout = 1\n", [plug_in, probe, key])):
        file.write_text(f'[groups.X]\nsinks = ["indx"]\n[probes]\nallowed = ["htp"]\n{text}')
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2
        assert ended.stderr.splitlines() == [f"error: {line}" for line in wanted]
        assert not (tmp_path / "data" / "aggregator.db").exists()


def test_a_request_in_flight_survives_sighup(own: RunningService) -> None:
    """While the configuration is read again, no request fails."""
    group = own.next_group()
    statuses = []
    for number in range(150):
        if number == 20:
            own.process.send_signal(signal.SIGHUP)
        body = soap.add_body(f"http://127.0.0.1:1/{number}", soap.ASKED_ONCE)
        statuses.append(soap.call(group, body).status)
    assert statuses == [200] * 150


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[server]\nprot = 1\n", "port"),
        ("[groups.X]\nsinks = ['nobody']\n", "nobody"),
        ("[probes]\nfolder = '/nowhere/at/all'\n", "/nowhere/at/all"),
    ],
)
def test_a_wrong_configuration_stops_the_start(tmp_path: Path, config: str, message: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(config)
    command = [sys.executable, "-m", "aggregator", "serve", "--config", str(file)]
    command += ["--data-dir", str(tmp_path), "--port", str(free_port())]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert found.returncode == 2
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_taken_port_is_told(services: Callable[[str], RunningService], tmp_path: Path) -> None:
    # The store has no part in it, so that one of them is enough.
    port = services("sqlite").url.rpartition(":")[2]
    command = [sys.executable, "-m", "aggregator", "serve", "--port", port]
    command += ["--data-dir", str(tmp_path / "other")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert found.returncode == 2
    assert f"port {port}" in found.stderr
    assert "choose another --port" in found.stderr


def test_logs_are_json_where_asked_for(tmp_path: Path) -> None:
    with running_service(tmp_path, options=["--log-format", "json"]) as service:
        entry = soap.add(service.group, "http://127.0.0.1:1/a")
        line = until(lambda: [x for x in service.logs().splitlines() if entry.key in x])[0]
    found = json.loads(line)
    assert found["message"] == "added"
    assert found["group"] == "DefaultIndexService"
    assert found["member"] == "http://127.0.0.1:1/a"


def test_web_and_collector_can_run_apart(tmp_path: Path, database_url: str) -> None:
    """A web host without collector, and a collector without web, on one database."""
    options = ["--database", database_url]
    with running_service(tmp_path / "web", options=[*options, "--no-collector"]) as web:
        config = soap.execution_config("aggregator-exec-test")
        soap.add(web.group, "http://127.0.0.1:1/a", config)
        assert (
            "exampleProbedInformation"
            not in soap.get_property(web.group, "sg:Entry").content.decode()
        )
        log = tmp_path / "collector.log"
        with log.open("wb") as stream:
            folder = str(tmp_path / "collector")
            command = [sys.executable, "-m", "aggregator", "serve", "--no-web", *options]
            collector = subprocess.Popen(
                [*command, "--data-dir", folder], stdout=stream, stderr=stream
            )
        try:
            until(
                lambda: (
                    "exampleProbedInformation"
                    in soap.get_property(web.group, "sg:Entry").content.decode()
                ),
                what="collected data",
            )
        finally:
            collector.terminate()
            assert collector.wait(12) == 0
