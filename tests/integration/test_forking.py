"""Processes that begin as copies of another: what they have of it, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import soap
from tests.service import RunningService, free_port, wait_until_ready
from tests.sources_read import ROOT

ADD = soap.add_body("http://127.0.0.1:1/m")

#: What a process of one thread does: it forks, and prints what became of the copy.
_BEGIN = """
import json, os, signal, sys, threading, time
from aggregator.run.forking import fork
def told(play, *, keep=()):
    return fork(play, name="mds-test", keep=keep)
"""


def run(script: str, *, within: float = 30) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, since pytest has threads."""
    return subprocess.run(
        [sys.executable, "-c", _BEGIN + script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=within,
    )


def test_a_copy_ends_with_the_status_that_it_returns() -> None:
    script = """
def leave(): sys.exit(4)
def leave_saying_why(): sys.exit("why")
def fail(): raise LookupError("broken")
def kill(): os.kill(os.getpid(), signal.SIGKILL)
for play in (lambda: 3, leave, leave_saying_why, fail, kill):
    copy = told(play)
    assert copy.wait(time.monotonic() + 20)
    print(copy.status, copy.poll())
    copy.send(signal.SIGTERM)
"""
    ended = run(script)
    assert ended.stdout.split("\n")[:5] == ["3 3", "4 4", "1 1", "1 1", "-9 -9"]
    assert "LookupError: broken" in ended.stderr
    assert ended.stderr.startswith("why\n")


def test_a_copy_has_a_name_and_no_files_but_those_it_needs() -> None:
    script = """
other, own = os.open("/dev/null", os.O_RDONLY), os.open("/dev/null", os.O_RDONLY)
def show():
    files = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    name = open("/proc/self/comm").read().strip()
    print(json.dumps([files, own, sys.stdin.read(), name]))
    return 0
assert told(show, keep=[own]).wait(time.monotonic() + 20)
os.fstat(other)
"""
    files, own, said, name = json.loads(run(script).stdout)
    # One more is that of the listing itself.
    assert len(files) == 5
    assert {0, 1, 2, own} < set(files)
    assert (said, name) == ("", "mds-test")


def test_nothing_of_the_parent_is_undone_in_a_copy(tmp_path: Path) -> None:
    script = f"""
import atexit, pathlib
file = pathlib.Path({str(tmp_path / "undone")!r})
def note(): file.write_text(file.read_text() + "." if file.exists() else ".")
atexit.register(note)
try:
    copy = told(lambda: 0)
    assert copy.wait(time.monotonic() + 20) and copy.status == 0
finally:
    note()
"""
    run(script)
    assert (tmp_path / "undone").read_text() == ".."


def test_a_copy_ends_once_its_threads_have() -> None:
    script = """
def work():
    threading.Thread(target=lambda: (time.sleep(0.3), print("done", flush=True))).start()
    return 0
assert told(work).wait(time.monotonic() + 20)
print("ended")
"""
    assert run(script).stdout.split() == ["done", "ended"]


def test_threads_that_wait_for_work_hold_up_no_end() -> None:
    script = """
from concurrent.futures import ThreadPoolExecutor
def work():
    ThreadPoolExecutor(1).submit(lambda: None).result()
    return 5
copy = told(work)
print(copy.wait(time.monotonic() + 20), copy.status)
"""
    assert run(script).stdout.split() == ["True", "5"]


def test_waiting_for_a_copy_has_an_end() -> None:
    script = """
copy = told(lambda: time.sleep(60) or 0)
began = time.monotonic()
print(copy.wait(began + 0.2), copy.poll())
copy.send(signal.SIGKILL)
print(copy.wait(began + 20), copy.status)
"""
    assert run(script).stdout.split("\n")[:2] == ["False None", "True -9"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_a_service_starts_without_its_standard_files(tmp_path: Path, closed: str) -> None:
    """And with SIGCHLD ignored, as some launchers leave it; the configuration is read."""
    port = free_port()
    config = tmp_path / "aggregator.toml"
    config.write_text("[groups.Found]\n[log]\nformat = 'text'\n")
    command = f"{sys.executable} -m aggregator serve --port {port} --config {config}"
    command += f" --data-dir {tmp_path / 'data'} 2>{tmp_path / 'log'} {closed}"
    process = subprocess.Popen(["sh", "-c", f"trap '' CHLD; exec {command}"])
    service = RunningService(f"http://127.0.0.1:{port}", tmp_path, process, tmp_path / "log")
    try:
        wait_until_ready(service)
        assert soap.call(f"{service.url}/wsrf/services/Found", ADD).status == 200
        files = Path(f"/proc/{process.pid}/fd")
        assert "memfd" not in "".join(os.readlink(files / name) for name in "012")
        assert service.stop() == 0
    finally:
        if process.poll() is None:
            service.kill()


def test_what_roles_have_in_common_loads_no_metrics() -> None:
    """They look for their folder when they are loaded, and only a role knows it."""
    script = """
from aggregator.run.role import load
load(["web", "query", "collector", "prepare"])
print("prometheus_client" in sys.modules, threading.active_count(), "sqlalchemy" in sys.modules)
"""
    assert run(script).stdout.split() == ["False", "1", "True"]
