"""What stops the start, what SIGHUP changes, who has a certificate, and whom the probe server's end
leaves alone."""

from __future__ import annotations

import http.client
import json
import signal
from pathlib import Path

import psutil
import pytest

from tests.chaos.victims import role_of, victims
from tests.databases import write_locked
from tests.integration.commands import run
from tests.integration.tls_kit import secured_service
from tests.report_kit import (
    ADMIN,
    LEDGER,
    configured,
    is_up,
    modules,
    process_of,
    report,
    reporting,
    wait_up,
)
from tests.waiting import until

PLAIN = "from aggregator.reports import Aggregator\nclass {}(Aggregator):\n    dependencies = {}\n"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("Missing",), "no class Missing is in"),
        (("Needs",), "Needs depends on Missing, but no class Missing is in"),
        (("One",), "modules depend on each other in a circle: One -> Two -> One"),
    ],
)
def test_a_missing_or_circular_dependency_stops_the_start_and_is_named(
    tmp_path: Path, names: tuple[str, ...], told: str
) -> None:
    folder = modules(
        tmp_path / "modules",
        needs=PLAIN.format("Needs", "('Missing',)"),
        one=PLAIN.format("One", "('Two',)"),
        two=PLAIN.format("Two", "['One']"),
    )
    file = tmp_path / "aggregator.toml"
    file.write_text(configured(tmp_path, names=names, folders=[folder]))
    checked = run("aggregator", "check", str(file))
    assert checked.status == 2
    assert f"{file}:4: reports.modules: " in checked.err
    assert told in checked.err
    if names != ("One",):
        return
    data = str(tmp_path / "data")
    started = run("aggregator", "serve", "--config", str(file), "--port", "0", "--data-dir", data)
    assert started.status == 2
    assert told in started.err


def test_a_folder_that_others_may_write_to_stops_the_start(tmp_path: Path) -> None:
    folder = modules(tmp_path / "modules", ledger=LEDGER)
    folder.chmod(0o777)
    file = tmp_path / "aggregator.toml"
    file.write_text(configured(tmp_path, names=("Ledger",), folders=[folder]))
    checked = run("aggregator", "check", str(file))
    assert checked.status == 2
    assert f"others may write to {folder}" in checked.err
    folder.chmod(0o755)
    assert run("aggregator", "check", str(file)).out == "ok\n"


def test_sighup_makes_the_aggregators_anew_and_reads_the_tokens(tmp_path: Path) -> None:
    with reporting("sqlite", tmp_path) as found:
        wait_up(found)
        before = process_of(found.url)
        config = found.service.data_dir / "aggregator.toml"
        good = config.read_text()
        # What is wrong changes nothing.
        config.write_text(good.replace('["Ledger"]', '["Ledger", "Missing"]'))
        found.service.process.send_signal(signal.SIGHUP)
        until(lambda: "no class Missing is in" in found.service.logs(), what="the refusal")
        assert process_of(found.url) == before
        modules(tmp_path / "modules", more=PLAIN.format("More", "()"))
        config.write_text(good.replace('["Ledger"]', '["More", "Ledger"]'))
        tokens = tmp_path / "tokens.toml"
        tokens.write_text(tokens.read_text().replace("node*", "other*"))
        found.service.process.send_signal(signal.SIGHUP)
        until(lambda: is_up(found.url, "More"), what="the new one")
        until(lambda: process_of(found.url) not in (before, b""), what="the other anew")
        until(
            lambda: report(found.url, "other1", "1", b"x").status in (200, 201), what="a new node"
        )
        assert report(found.url, "node1", "1").status == 403


def test_aggregators_outlive_the_probe_server(tmp_path: Path) -> None:
    with reporting("sqlite", tmp_path) as found:
        wait_up(found)
        before = process_of(found.url)
        collector = role_of(found.service, "collector")
        assert collector is not None
        [server] = [
            one for one in victims(found.service, "probe server") if one.name() != "mds-aggregator"
        ]
        server.kill()
        until(lambda: "the probe server ended" in found.service.logs(), what="its end")
        until(lambda: len(collector.children()) == 2, what="the next one")
        assert process_of(found.url) == before
        assert psutil.pid_exists(int(before))


def test_a_node_may_be_known_by_its_certificate(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(
        '[node1]\ncertificate = "/CN=node1"\nnodes = ["node1"]\n'
        f'[admin]\nsecret = "{ADMIN}"\nstatus = true\n'
    )
    tokens.chmod(0o600)
    with secured_service(tmp_path, config=f'[reports]\ntokens = "{tokens}"\n') as secured:
        node1 = secured.authority.issue("node1")
        node2 = secured.authority.issue("node2")

        def send(node: str, pair: object, secret: str = "") -> int:
            context = secured.context(pair)  # type: ignore[arg-type]
            connection = http.client.HTTPSConnection(*secured.address, context=context, timeout=20)
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            connection.request("POST", f"/reports/nodes/{node}/Load/1", b"x", headers)
            status = connection.getresponse().status
            connection.close()
            return status

        assert send("node1", node1) == 201
        assert send("node2", node1) == 403
        assert send("node2", node2) == 401
        assert send("node1", None) == 401
        # No aggregator takes it: it is known still.
        until(lambda: send("node1", node1) == 200)
        # A secret that comes along counts alone.
        assert send("node1", node1, ADMIN) == 403
        given = ["-s", secured.service.url, "--ca", secured.authority.file, "--output", "json"]
        token = tmp_path / "admin.token"
        token.write_text(ADMIN)
        token.chmod(0o600)
        listed = run("aggregator", "reports", *given, "--token-file", str(token), "nodes")
        assert [one["node"] for one in json.loads(listed.out)] == ["node1"]


def test_a_store_that_takes_nothing_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    more = '[store]\nwrite_timeout = "1s"\nbusy_timeout = "500ms"\n'
    with reporting("sqlite", tmp_path, more=more) as found:
        wait_up(found)
        assert report(found.url, "node1", "1", b"node1-1").status == 201
        with write_locked(f"sqlite:///{tmp_path / 'aggregator.sqlite'}"):
            refused = report(found.url, "node1", "2", b"node1-2")
            assert (refused.status, refused.json["reason"]) == (503, "store")
            assert int(refused.headers["Retry-After"]) > 0
            until(lambda: "is lost" in found.service.logs(), what="the lease lost")
        until(lambda: report(found.url, "node1", "2", b"node1-2").status < 300, what="its turn")
        until(lambda: set(found.seen()) == {("node1", "1"), ("node1", "2")}, what="both")
        wait_up(found)


def test_reports_are_off_without_tokens(tmp_path: Path) -> None:
    file = tmp_path / "aggregator.toml"
    file.write_text('[reports]\nmodules = ["Ledger"]\n')
    checked = run("aggregator", "check", str(file))
    assert checked.status == 2
    assert "modules get no reports without tokens, which is not set" in checked.err
