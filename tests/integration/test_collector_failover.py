"""What a collector's end, pause or lost store costs: a moment, and no old result over a new one."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.store.leases import collector_running
from tests.collector_process import running_collector
from tests.integration import collector_kit
from tests.integration.collector_kit import Bench, until
from tests.loaded import Copy
from tests.misbehaving import MisbehavingServer, misbehaving

pytestmark = pytest.mark.long

bench, embedded = collector_kit.bench, collector_kit.embedded


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with misbehaving() as running:
        yield running


def askers(server: MisbehavingServer, *, last: int) -> set[str]:
    """The User-Agents of the last requests."""
    return {asked.headers["user-agent"] for asked in server.journal.asked[-last:]}


def beside(bench: Bench, name: str, *, data_dir: str = "") -> Path:
    """A second configuration on the same store, told apart by its User-Agent."""
    text = bench.config.read_text().replace("[collect]\n", f'[collect]\nuser_agent = "{name}"\n')
    if data_dir:
        text = text.replace('/data"', f'/{data_dir}"')
        (bench.config.parent / data_dir).mkdir(exist_ok=True)
    other = bench.config.with_name(f"{name}.toml")
    other.write_text(text)
    return other


def stop(bench: Bench, process: Copy) -> None:
    """Stop a collector that writes nothing: within its turn it would keep everybody from a file."""
    with bench.store.database.turn():
        process.send_signal(signal.SIGSTOP)
        until(lambda: states(process.pid) == {"T"}, what="that all threads stand still")


def states(pid: int) -> set[str]:
    """What the threads of a process do: T, where they are stopped."""
    found = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # It may have ended.
            found.add((thread / "stat").read_text().rpartition(")")[2].split()[0])
    return found


def test_after_a_kill_the_next_collector_goes_on_at_once(
    bench: Bench, server: MisbehavingServer
) -> None:
    bench.configure('[collect]\nlease_ttl = "60s"\n')
    bench.register(f"{server.url}/ok?often")
    rare = bench.register(f"{server.url}/ok?rare", interval=3_600_000)
    with running_collector(bench.config) as process:
        bench.wait_data(rare)
        process.kill()
        process.wait()
    polled = len(server.journal.asked)
    began = time.monotonic()
    with running_collector(bench.config):
        until(lambda: len(server.journal.asked) > polled + 3)
        assert time.monotonic() - began < 50
    assert server.journal.count("/ok?rare") == 1, "a restart must not poll everything at once"


def test_a_collector_of_another_host_takes_over_when_the_lease_ends(
    bench: Bench, server: MisbehavingServer
) -> None:
    entry = bench.register(f"{server.url}/ok", interval=100)
    first, second = beside(bench, "first"), beside(bench, "second", data_dir="other")
    with running_collector(first) as process, running_collector(second):
        until(lambda: len(server.journal.asked) > 5)
        assert askers(server, last=5) == {"first"}
        process.kill()
        process.wait()
        until(lambda: askers(server, last=3) == {"second"})
        failures = bench.entry(entry).health.consecutive_failures
    assert failures == 0


def test_a_collector_that_was_paused_collects_no_more_when_it_wakes(
    bench: Bench, server: MisbehavingServer
) -> None:
    entry = bench.register(f"{server.url}/slow/0.3", interval=700)
    first, second = beside(bench, "first"), beside(bench, "second")
    with running_collector(first) as process, running_collector(second):
        until(lambda: len(server.journal.asked) > 2)
        stop(bench, process)
        until(lambda: askers(server, last=2) == {"second"})
        stored = bench.entry(entry).health.last_attempt
        process.send_signal(signal.SIGCONT)
        polled = len(server.journal.asked)
        until(lambda: len(server.journal.asked) > polled + 4)
        assert askers(server, last=4) == {"second"}
        assert bench.entry(entry).health.last_attempt >= stored
        assert "lost" in first.with_suffix(".log").read_text()


def test_the_lease_is_given_back_at_the_end(bench: Bench, server: MisbehavingServer) -> None:
    bench.configure('[collect]\nlease_ttl = "60s"\n')

    def held() -> bool:
        with bench.store.read() as connection:
            return collector_running(connection, bench.store.clock.now())

    with running_collector(bench.config):
        assert held()
    assert not held()


def test_a_locked_store_is_waited_for(embedded: Bench, server: MisbehavingServer) -> None:
    embedded.configure('[store]\nwrite_timeout = "1s"\nbusy_timeout = "500ms"\n')
    entry = embedded.register(f"{server.url}/ok", interval=100)
    path = embedded.config.parent / "aggregator.sqlite"
    with running_collector(embedded.config) as process:
        embedded.wait_data(entry)
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(4)
            other.execute("ROLLBACK")
        other.close()
        unlocked = embedded.store.clock.now()
        until(lambda: embedded.entry(entry).health.last_success > unlocked)
        assert process.poll() is None


def test_entries_are_found_again_when_the_log_of_changes_is_gone(
    embedded: Bench, server: MisbehavingServer
) -> None:
    """A collector that slept through more changes than are kept reads everything anew."""
    first = embedded.register(f"{server.url}/ok?first")
    with running_collector(embedded.config) as process:
        embedded.wait_data(first)
        stop(embedded, process)
        second = embedded.register(f"{server.url}/ok?second")
        embedded.remove(first)
        embedded.forget_changes()
        process.send_signal(signal.SIGCONT)
        embedded.wait_data(second)
        time.sleep(0.5)
        polled = server.journal.count("/ok?first")
        time.sleep(1)
        assert server.journal.count("/ok?first") == polled
