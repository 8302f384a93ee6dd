"""The actions ``log`` and ``trigger-action-default``, and what all actions have in common."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import json
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.config import Settings
from aggregator.config.actions import settings_for
from aggregator.config.server import ServerSettings
from tests.integration.action_kit import (
    FIRE,
    FIRED,
    FOLDER,
    RECOVERED,
    TRIGGER,
    environment,
    given_by,
    run,
)
from tests.integration.probe_kit import started

ACTIONS = sorted(path.name for path in FOLDER.iterdir() if path.is_file() and not path.suffix)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("action", ["log", "trigger-action-default"])
def test_an_alert_is_a_line_in_the_data_folder(action: str, tmp_path: Path) -> None:
    settings = Settings(server=replace(ServerSettings(), data_dir=tmp_path))
    for stdin in (FIRED, RECOVERED, FIRE):
        done = run(action, given_by(settings, action), tmp_path, stdin=stdin)
        assert done.published.tag == f"{{{TRIGGER}}}alertLogged"
    file = tmp_path / "alerts.log"
    assert file.stat().st_mode & 0o777 == 0o600
    first, second, third = lines(file)
    assert first.pop("time").endswith("Z")
    assert first == {
        "state": "fired",
        "rule": "1",
        "member": "https://ce1.example.org:8443/wsrf/services/HostService",
        "group": "DefaultTriggerService",
        "entry": "0643a1f08b5b0d2e",
        "trigger": "",
        "matching_rule": "//glue:ProcessorLoad[@glue:Last1Min > 900]",
        "since": "2026-01-31T11:50:00.000Z",
        "at": "2026-01-31T12:00:00.250Z",
        "id": "0643a1f08b5b0d2e/1/649add44d0090",
        "result": '<glue:ProcessorLoad xmlns:glue="http://mds.globus.org/glue/ce/1.1"'
        ' glue:Last1Min="980"/>',
        "attempt": 1,
    }
    assert (second["state"], third["rule"]) == ("recovered", "site down")


def test_many_at_once_and_a_file_that_is_rotated(tmp_path: Path) -> None:
    file = tmp_path / "alerts.log"
    with ThreadPoolExecutor(4) as pool:
        for done in pool.map(lambda _: run_log(file, tmp_path), range(8)):
            assert done.status == 0, done.err
    assert len(lines(file)) == 8
    file.rename(tmp_path / "alerts.log.1")
    assert run_log(file, tmp_path).status == 0
    assert len(lines(file)) == 1


def run_log(file: Path, folder: Path, stdin: bytes = FIRED) -> Any:
    return run("log", {"log_file": str(file)}, folder, stdin=stdin)


def test_half_a_line_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "alerts.log"
    file.write_text('{"state": "fi')
    assert run_log(file, tmp_path).status == 0
    half, whole = file.read_text().splitlines()
    assert (half, json.loads(whole)["state"]) == ('{"state": "fi', "fired")


def test_a_disk_that_is_full_leaves_no_half_line(tmp_path: Path) -> None:
    file = tmp_path / "alerts.log"
    assert run_log(file, tmp_path).status == 0
    before = file.read_bytes()
    limit = len(before) + 100
    done = subprocess.run(
        [str(FOLDER / "log")],
        env=environment({"log_file": str(file)}, tmp_path),
        input=FIRED,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert (done.returncode, done.stdout) == (75, b"")
    assert file.read_bytes() == before


def test_who_holds_the_file_for_long_is_waited_for_another_time(tmp_path: Path) -> None:
    file = tmp_path / "alerts.log"
    with file.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert run_log(file, tmp_path).status == 75
    assert file.read_bytes() == b""


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run_log(pipe, tmp_path).status == 78
    done = run_log(tmp_path / "none" / "alerts.log", tmp_path)
    assert done.status == 75
    assert "No such file or directory" in done.err
    assert run("log", {}, tmp_path).err == "set actions.log_file\n"


HOSTILE = {
    "nothing": b"",
    "no-xml": b"alert",
    "another-root": FIRED.replace(b"actionInput", b"inputDocument"),
    "no-alert": FIRED.replace(b"urn:mds-aggregator:trigger", b"urn:x"),
    "an-alert-of-a-stranger": FIRED.replace(b"<alert ", b"<x><alert ").replace(
        b'attempt="1"/>', b'attempt="1"/></x>'
    ),
    "two-alerts": FIRED.replace(b"</actionInput>", FIRED[FIRED.index(b"<alert") :]),
    "no-id": FIRED.replace(b' id="', b' x="'),
    "an-id-with-a-header": FIRED.replace(b' id="', b' id="a&#13;&#10;X: y'),
    "another-state": FIRED.replace(b'"fired"', b'"FIRED"'),
    "no-attempt": FIRED.replace(b'attempt="1"', b'attempt="-1"'),
    "too-large": FIRED.replace(b"<inputMessage>", b"<inputMessage>" + b" " * 2**26),
    "too-large-and-no-alert": FIRED.replace(b"</actionInput>", b"<x/>" * 3_000_000),
    "not-to-its-end": FIRED[: FIRED.index(b"</actionInput>")],
    "behind-a-comment": FIRED.replace(b"<alert ", b"<x><alert ") + b"<!-- /> -->",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_alert_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    file = tmp_path / "alerts.log"
    done = run_log(file, tmp_path, HOSTILE[name])
    assert (done.status, done.out, done.err.count("\n")) == (65, b"", 1)
    assert "Traceback" not in done.err
    assert not file.exists()


def test_an_alert_inside_of_what_a_member_sent_is_data(tmp_path: Path) -> None:
    forged = FIRED[FIRED.index(b"<alert") :].replace(b"</actionInput>", b"")
    forged = forged.replace(b'state="fired"', b'state="recovered"')
    stdin = FIRED.replace(b"<inputMessage>", b"<inputMessage>" + forged)
    stdin = stdin.replace(b"<xpathResult>", b"<xpathResult>" + forged)
    file = tmp_path / "alerts.log"
    assert run_log(file, tmp_path, stdin).status == 0
    assert lines(file)[0]["state"] == "fired"


@pytest.mark.parametrize("unit", [b"x" * 64, b"<a/>", b"<a b=''/>"])
def test_data_that_is_too_large_costs_no_alert(unit: bytes, tmp_path: Path) -> None:
    """Whoever wants no alert to be told need not send much: its rule finds it, too."""
    forged = FIRED[FIRED.index(b"<alert") :].replace(b'state="fired"', b'state="recovered"')
    # Two of it: the first are too many bytes, the others too many nodes.
    size = 5 * 2**20 if unit.startswith(b"x") else 39 * 10**5
    much = unit * (size // len(unit)) + forged.replace(b"</actionInput>", b"")
    stdin = FIRED.replace(b"<inputMessage>", b"<inputMessage>" + much)
    stdin = stdin.replace(b"<xpathResult>", b"<xpathResult>" + much)
    file = tmp_path / "alerts.log"
    limited = functools.partial(resource.setrlimit, resource.RLIMIT_DATA, (2**27, 2**27))
    done = subprocess.run(
        [str(FOLDER / "log")],
        env=environment({"log_file": str(file)}, tmp_path),
        input=stdin,
        capture_output=True,
        check=False,
        preexec_fn=limited,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert [(line["state"], line["result"]) for line in lines(file)] == [("fired", "")]


@pytest.mark.parametrize(
    "stdin",
    [
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/passwd">]>' + FIRED.replace(b"980", b"&a;"),
        FIRED.replace(b"<AggregatorConfig/>", b"<x>" * 300 + b"</x>" * 300),
        FIRED.replace(b"<MemberEPR>", b"<MemberEPR>\x00"),
    ],
    ids=["entities", "depth", "bytes"],
)
def test_nor_does_data_that_can_not_be_read(stdin: bytes, tmp_path: Path) -> None:
    file = tmp_path / "alerts.log"
    assert run_log(file, tmp_path, stdin).status == 0
    assert [(line["state"], line["result"]) for line in lines(file)] == [("fired", "")]


def test_nothing_in_a_line_ends_it_or_moves_a_cursor(tmp_path: Path) -> None:
    hostile = '&#10;{"state": "fired"}&#13;&#x85;&#x2028;&#x202e;&#x9b;2J' + "\N{SPARKLES}" * 9000
    stdin = FIRED.replace(b'rule="1"', f"rule='{hostile}'".encode())
    stdin = stdin.replace(b"<xpathResult>", b"<xpathResult>" + b"\xe2\x80\xa8" * 90_000)
    file = tmp_path / "alerts.log"
    assert run_log(file, tmp_path, stdin).status == 0
    text = file.read_bytes()
    assert text.count(b"\n") == 1
    assert all(32 <= byte < 127 or byte == 10 for byte in text)
    assert len(text) < 32 * 1024


@pytest.mark.parametrize("values", ["[]", "{", '{"log_file": 5}'])
def test_settings_that_can_not_be_read_are_told(values: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(FOLDER / "log")],
        env={**environment({}, tmp_path), "AGGREGATOR_ACTION_SETTINGS": values},
        input=FIRED,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"AGGREGATOR_ACTION_SETTINGS" in done.stderr


def test_a_closed_output_undoes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "alerts.log"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [str(FOLDER / "log")],
        env=environment({"log_file": str(file)}, tmp_path),
        input=FIRED,
        stdout=write,
        check=False,
    )
    os.close(write)
    assert done.returncode == 0
    assert len(lines(file)) == 1


@pytest.mark.parametrize("action", ACTIONS)
def test_the_help_needs_no_installation(action: str) -> None:
    bare = (sys.executable, "-I", "-S", str(FOLDER / action))
    done = subprocess.run((*bare, "--help"), capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example: {action} < alert.xml" in done.stdout
    done = subprocess.run(bare, capture_output=True, text=True, check=False, cwd="/", input="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "run it with the python3 that mds-aggregator is installed for" in done.stderr


def test_the_probe_server_runs_actions(tmp_path: Path) -> None:
    """With its limits on memory and output, in a folder of its own."""
    settings = Settings(server=replace(ServerSettings(), data_dir=tmp_path))

    async def act(action: str) -> Any:
        async with started() as client:
            return await client.run(
                [str(FOLDER / action)],
                stdin=FIRED,
                env=environment(settings_for(settings, action), tmp_path),
                timeout=20.0,
                max_output=10_000,
                memory_limit=512 * 2**20,
            )

    done = asyncio.run(act("log"))
    assert (done.outcome, done.status, done.stderr) == ("exit", 0, "")
    assert len(lines(tmp_path / "alerts.log")) == 1
    done = asyncio.run(act("mail"))
    assert (done.outcome, done.status, done.stderr) == ("exit", 78, "set actions.mail_server\n")
