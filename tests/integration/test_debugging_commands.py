"""``-d``: each call of a command is a line on standard error, and nothing secret is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.commands import block, run, write_registrations
from tests.service import free_port

LINE = re.compile(r"DEBUG aggregator\.client\.call_log: (\S+): (\w+) in (\w+), \d+\.\d{3} s, (.+)")
CURRENT_TIME = "{http://docs.oasis-open.org/wsrf/rl-2}CurrentTime"


def calls(err: str) -> list[tuple[str, ...]]:
    """Address, operation, dialect and outcome of each call."""
    return [match.groups() for match in map(LINE.fullmatch, err.splitlines()) if match]


def test_a_call_that_was_answered(group: str) -> None:
    quiet = run("wsrf-get-property", "-s", group, CURRENT_TIME)
    told = run("wsrf-get-property", "-d", "-s", group, CURRENT_TIME)
    assert (quiet.status, quiet.err, told.status) == (0, "", 0)
    assert calls(told.err) == [(group, "GetResourceProperty", "oasis", "answered")]
    assert quiet.out.startswith("<")
    assert told.out.startswith("<")


def test_each_registration_is_told(group: str, tmp_path: Path) -> None:
    member = "http://127.0.0.1:1/debugged"
    good = [block(f"{member}/{number}", group=group) for number in range(2)]
    bad = block(f"{member}/2", group=f"{group}Missing")
    file = write_registrations(tmp_path, *good, bad)
    ended = run("mds-servicegroup-add", "-a", "-d", "--once", file)
    assert ended.status == 1
    found = calls(ended.err)
    assert found.count((group, "Add", "gt4", "answered")) == 2
    (refused,) = [call for call in found if call[0] == f"{group}Missing"]
    assert refused[1:3] == ("Add", "gt4")
    assert refused[3].startswith("fault: ResourceUnknownFault: ")


@pytest.mark.parametrize("dialect", ["gt4", "oasis"])
def test_passwords_are_not_told(dialect: str) -> None:
    port = free_port()
    url = f"http://me:secret@127.0.0.1:{port}/service?token=secret"
    ended = run("aggregator", "query", "-d", "--dialect", dialect, url, "/")
    assert ended.status == 1
    ((address, operation, spoken, outcome),) = calls(ended.err)
    assert address == f"http://127.0.0.1:{port}/service?..."
    assert (operation, spoken) == ("QueryResourceProperties", dialect)
    assert outcome.startswith("failed: ")
    assert "secret" not in outcome
