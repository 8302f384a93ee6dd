"""The commands about reports as a user runs them: the node agent, asking, watching, listing."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from aggregator.reports import messages
from tests.integration.commands import BIN, Ended, environment, run
from tests.report_kit import (
    ADMIN,
    GUI,
    SHIPPED,
    SITE,
    Reporting,
    configured,
    modules,
    report,
    request,
    wait_up,
)
from tests.service import RunningService, running_service, start_service
from tests.waiting import until

COUNTING = """
    import os
    from aggregator.reports import Collector

    class Counting(Collector):
        reporttype = "Count"
        dependencies = ("Hanging",)

        def __init__(self):
            self.log = open(os.environ["COLLECTED"], "a")
            self.number = self.restoreData(0)

        def getReport(self, now):
            self.number += 1
            self.saveData(self.number)
            print("asked", self.number, file=self.log, flush=True)
            return self.reporttype, {"number": self.number}

        def connectStateChanged(self, isConnected):
            print("connected" if isConnected else "lost", file=self.log, flush=True)
"""
HANGING = """
    import time
    from aggregator.reports import Collector

    class Hanging(Collector):
        def getReport(self, now):
            time.sleep(600)
"""
NUMBERS = """
    import json
    from aggregator.reports import Aggregator

    class Numbers(Aggregator):
        reporttype = "Count"
        requesttypes = "Numbers",

        def __init__(self):
            self.numbers = self.restoreData([])

        def processReport(self, msg):
            self.numbers.append([msg.id, json.loads(msg.data)["number"]])
            self.saveData(self.numbers)

        def processREQUEST(self, msg):
            return self.numbers
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def found(folder: Path) -> Iterator[Reporting]:
    """The shipped example, and an aggregator of numbers."""
    own = modules(folder / "modules", numbers=NUMBERS)
    config = configured(folder, names=("FileProcessor", "Numbers"), folders=(SHIPPED, own))
    environ = {"FILE_PROCESSOR_DIR": str(folder / "files")}
    with running_service(folder / "service", config=config, environ=environ) as service:
        running = Reporting(service, folder / "ledger", config, ())
        wait_up(running, "FileProcessor")
        wait_up(running, "Numbers")
        yield running
        if running.service is not service:
            running.service.stop()


def token(folder: Path, secret: str) -> str:
    file = folder / f"{secret[:3]}.token"
    file.write_text(secret + "\n")
    file.chmod(0o600)
    return str(file)


def ask(found: Reporting, folder: Path, command: str, *arguments: str, secret: str) -> Ended:
    """Run a command at the service."""
    given = ["-s", found.url, "--token-file", token(folder, secret)]
    return run("aggregator", command, *given, *arguments)


class Agent:
    """``aggregator report`` that runs until it is ended."""

    def __init__(self, found: Reporting, folder: Path, *classes: str, **environ: str) -> None:
        self.spool = folder / "spool"
        self.log = folder / "agent.log"
        command = [str(BIN / "aggregator"), "report", "-s", found.url, "--node", "node1"]
        command += ["--token-file", token(folder, SITE), "--spool", str(self.spool)]
        command += ["--folder", str(folder / "modules"), "--folder", str(SHIPPED)]
        command += ["--interval", "0.2", *classes]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=log, env={**environment(), **environ}
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def test_a_file_of_a_node_is_shown_by_request_and_watch(found: Reporting, folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    (out / "a.txt").write_bytes(b"hello\0")
    agent = Agent(found, folder, "FileReader", FILE_READER_DIR=str(out))
    try:
        until((folder / "files" / "a.txt").exists, what="the file")
    finally:
        assert agent.end() == 0
    assert "connected" in agent.log.read_text()
    answer = folder / "a.pb"
    asked = ask(found, folder, "request", "File", "filename=a.txt", "-o", str(answer), secret=GUI)
    assert asked.status == 0, asked.err
    [file] = messages.Files.FromString(answer.read_bytes()).files
    assert (file.name, file.data) == ("a.txt", b"hello\0")
    watched = ask(found, folder, "watch", "--after", "0", "--count", "1", "FileList", secret=GUI)
    said = json.loads(watched.out)
    assert (said["type"], said["aggregator"], said["encoding"]) == (
        "FileList",
        "FileProcessor",
        "base64",
    )


def test_request_tells_nothing_and_what_is_refused(found: Reporting, folder: Path) -> None:
    nothing = ask(found, folder, "request", "File", "filename=../x", secret=GUI)
    assert (nothing.status, nothing.out, nothing.err) == (0, "", "nothing\n")
    refused = ask(found, folder, "request", "File", secret=GUI)
    assert refused.status == 1
    assert refused.err == (
        "error: the service refused: FileProcessor: the REQUEST needs filename\n"
    )
    assert ask(found, folder, "request", "File", "filename", secret=GUI).status == 2
    denied = ask(found, folder, "request", "File", secret=SITE)
    assert denied.err == "error: the service refused: site may not ask for File\n"


def test_reports_are_listed_as_table_xml_and_json(found: Reporting, folder: Path) -> None:
    report(found.url, "node5", "n1", b'{"number": 0}', type="Count")
    report(found.url, "node5", "n2", b"no JSON", type="Count")
    table = ask(found, folder, "reports", secret=ADMIN)
    assert table.out.startswith("AGGREGATOR")
    assert "FileProcessor  running" in table.out
    nodes = ask(found, folder, "reports", "nodes", "--output", "json", secret=ADMIN)
    assert "node5" in {row["node"] for row in json.loads(nodes.out)}
    listed = ask(found, folder, "reports", "nodes", "--output", "xml", secret=ADMIN)
    root = etree.fromstring(listed.out.encode())
    assert "node5" in {child.get("node") for child in root}
    assert ask(found, folder, "reports", "dead", secret=ADMIN).status == 0
    wrong = ask(found, folder, "reports", "--retry", "77", secret=ADMIN)
    assert (wrong.status, wrong.out) == (1, "")


def collected(folder: Path) -> list[str]:
    log = folder / "collected"
    return log.read_text().splitlines() if log.exists() else []


def test_the_agent_sends_again_what_was_not_acknowledged_over_its_own_restart(
    found: Reporting, folder: Path
) -> None:
    modules(folder / "modules", counting=COUNTING, hanging=HANGING)
    environ = {"COLLECTED": str(folder / "collected")}
    agent = Agent(found, folder, "Counting", **environ)
    try:
        until(lambda: "asked 3" in collected(folder), what="reports beside a hanging collector")
        assert collected(folder)[0] == "connected"
        # The service goes away; nobody is asked while it is.
        found.service.stop()
        until(lambda: "lost" in collected(folder), what="the collector knows")
        count = len(collected(folder))
        # Killed, while it holds what it could not send.
        agent.process.kill()
        agent.process.wait(10)
        assert len(collected(folder)) == count
        (agent.spool / "000000000000.report").write_bytes(b"left by a dying disk")
        agent = Agent(found, folder, "Counting", **environ)
        environ_of_service = {"FILE_PROCESSOR_DIR": str(folder / "files")}
        found.service = _again(found, environ_of_service)
        wait_up(found, "Numbers")
        last = collected(folder)[-1]
        until(lambda: collected(folder)[-1] != last, what="the next report")
        assert agent.end() == 0
    finally:
        if agent.process.poll() is None:
            agent.process.kill()
            agent.process.wait(10)
    asked = [int(line.split()[1]) for line in collected(folder) if line.startswith("asked")]
    until(lambda: max(_numbers(found)) >= max(asked) - 1, what="the last of them")
    seen = _numbers(found)
    # In order, each once, and the numbers go on where they were: what was asked for after the last
    # report was kept may have been asked for twice.
    assert seen == sorted(set(seen))
    assert set(range(1, max(seen) + 1)) == set(seen)
    assert [path.name for path in agent.spool.glob("*.refused")] == ["000000000000.refused"]


def _again(found: Reporting, environ: dict[str, str]) -> RunningService:
    """Start the service anew, where it was."""
    port = int(found.url.rpartition(":")[2])
    return start_service(found.service.data_dir, config=found.config, port=port, environ=environ)


def _numbers(found: Reporting) -> list[int]:
    answer = request(found.url, "Numbers")
    return [number for _, number in answer.json if number] if answer.status == 200 else [0]


def test_two_agents_do_not_share_a_spool(found: Reporting, folder: Path) -> None:
    own = modules(folder / "alone" / "modules", hanging=HANGING).parent
    first = Agent(found, own, "Hanging")
    try:
        until(lambda: (first.spool / "lock").exists() and "connected" in first.log.read_text())
        second = Agent(found, own, "Hanging")
        assert second.process.wait(20) == 2
        assert "another agent uses" in second.log.read_text()
    finally:
        assert first.end() == 0


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (SITE, 0o644, "others may read"),
        ("", 0o600, "holds no secret"),
        ("two words", 0o600, "holds no secret"),
    ],
)
def test_a_secret_that_others_may_read_is_not_used(
    tmp_path: Path, text: str, mode: int, told: str
) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    ended = run("aggregator", "request", "--token-file", str(file), "File")
    assert ended.status == 2
    assert told in ended.err
    assert SITE not in ended.err


def test_the_agent_names_what_it_can_not_start(tmp_path: Path) -> None:
    folder = modules(tmp_path / "modules", numbers=NUMBERS)
    spool = str(tmp_path / "spool")
    given = ["report", "--folder", str(folder), "--spool", spool, "--node", "node1"]
    missing = run("aggregator", *given, "Numbesr")
    assert (missing.status, missing.err) == (
        2,
        f"error: no class Numbesr is in {folder}; did you mean Numbers?\n",
    )
    none = run("aggregator", *given, "Numbers")
    assert none.err == "error: none of Numbers is a Collector\n"
