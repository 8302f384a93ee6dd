"""A Perl client as WSRF::Lite makes them: '#' in Actions, quotes, nested EPRs, keys in paths."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import soap

SCRIPT = Path(__file__).with_name("wsrf_lite.pl")
MEMBER = "http://127.0.0.1:1/perl"
LATER = "2041-02-03T04:05:06.789Z"


@pytest.fixture(scope="module")
def perl() -> str:
    """Perl with SOAP::Lite; skips where it is missing, fails where it must not be."""
    found = shutil.which("perl")
    missing = "perl is missing"
    if found:
        command = [found, "-MSOAP::Lite", "-e", "1"]
        tried = subprocess.run(command, capture_output=True, timeout=30, check=False)
        if tried.returncode == 0:
            return found
        missing = "SOAP::Lite is missing (Debian: libsoap-lite-perl)"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def test_a_perl_client_registers_reads_renews_and_ends(group: str, perl: str) -> None:
    found = subprocess.run(
        [perl, str(SCRIPT), group, MEMBER, LATER],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr + found.stdout
    assert found.stderr == ""
    told = dict(line.split(" ", 1) for line in found.stdout.splitlines())
    # The key is in the address and nowhere else.
    assert told.pop("entry").startswith(f"{group}Entry/")
    assert told.pop("second").startswith(f"{group}Entry/")
    assert told == {
        "action": "http://docs.oasis-open.org/wsrf/sg-2#AddResponse",
        "relates": "uuid:4711",
        "member": MEMBER,
        "count": "2",
        "granted": LATER,
        "termination": LATER,
        "plain": LATER,
        "default": LATER,
        "several": MEMBER,
        "destroyed": "",
        "ended": "",
        "gone": "fault ResourceUnknownFault",
        "nobody": "fault InvalidResourcePropertyQNameFault",
    }
    assert soap.entries(group) == []
