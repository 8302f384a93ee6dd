"""The collector as a process, against members that do well and members that do not."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.model import Entry
from aggregator.wire.namespaces import WSA_2005_08
from tests.collector_process import running_collector
from tests.integration import collector_kit
from tests.integration.collector_kit import PROBE, Bench, until
from tests.misbehaving import VALUE, MisbehavingServer, misbehaving

pytestmark = pytest.mark.long

bench, embedded = collector_kit.bench, collector_kit.embedded

#: What a member does wrong, and the code of the error that its entry shows.
FAULTS = {
    "hang": "timeout",
    "trickle": "timeout",
    "drop": "connection",
    "break-off": "connection",
    "garbage": "connection",
    "big": "too-large",
    "bomb": "too-large",
    "redirect": "redirect",
    "html": "not-soap",
    "nothing": "not-soap",
    "not-found": "http-status",
    "fault": "fault",
    "plain-fault": "fault",
    "wrong": "wrong-content",
}


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with misbehaving() as running:
        yield running


def is_well(bench: Bench, entry: Entry, *, since: int) -> bool:
    """Whether the entry was collected after `since` and nothing is wrong with it."""
    now = bench.entry(entry)
    assert now is not None
    health = now.health
    return not health.error_code and health.last_success is not None and health.last_success > since


def test_members_are_polled_at_once_and_again(bench: Bench, server: MisbehavingServer) -> None:
    before = bench.register(f"{server.url}/ok?before", interval=300)
    with running_collector(bench.config):
        after = bench.register(f"{server.url}/ok?after", interval=300)
        for entry in (before, after):
            assert VALUE[:10] in bench.wait_data(entry).data[0]
        polled = len(server.journal.asked)
        until(lambda: len(server.journal.asked) > polled + 4)
        assert is_well(bench, after, since=0)


def test_each_fault_of_a_member_leaves_its_data_and_harms_no_other(
    bench: Bench, server: MisbehavingServer
) -> None:
    # Time enough for a busy machine to see what is wrong with a large reply.
    bench.configure('[collect]\ntimeout = "3s"\n')
    entries = {name: bench.register(f"{server.url}/later/{name}") for name in FAULTS}
    good = bench.register(f"{server.url}/ok")
    with running_collector(bench.config):
        data = {name: bench.wait_data(entry).data for name, entry in entries.items()}
        server.turned.set()
        for name, entry in entries.items():
            health = bench.wait_error(entry).health
            assert (name, health.error_code) == (name, FAULTS[name]), health
            assert health.consecutive_failures >= 1
            assert health.since is not None
            assert health.last_success is not None
            assert health.last_attempt is not None
            assert health.last_attempt > health.last_success
            assert "/" not in health.error_message
        now = bench.store.clock.now()
        until(lambda: is_well(bench, good, since=now))
        for name, entry in entries.items():
            assert bench.entry(entry).data == data[name], name
        server.turned.clear()
        for entry in entries.values():
            until(lambda entry=entry: is_well(bench, entry, since=now))


PROBES = {
    "hangs": ("sleep 60", "timeout"),
    "floods": ("yes", "too-large"),
    "prints-nothing": ("true", "no-output"),
    "prints-no-xml": ("echo hello", "not-xml"),
    "prints-two-documents": ("echo '<a/><b/>'", "not-xml"),
    "exits-with-3": ("echo '<a/>'; exit 3", "exit"),
    "is-killed": ("kill -9 $$", "signal"),
}


def test_each_fault_of_a_probe_leaves_the_data(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "probes"
    folder.mkdir(mode=0o755)
    turned = tmp_path / "turned"
    for name, (command, _) in PROBES.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\nif [ -e {turned} ]; then {command}; exit; fi\necho '<ok/>'\n")
        file.chmod(0o755)
    bench.configure(f'[probes]\ntimeout = "1s"\nfolder = "{folder}"\n')
    entries = {
        name: bench.register("http://member.example.org/", PROBE, name=f"aggr:{name}")
        for name in PROBES
    }
    with running_collector(bench.config):
        for entry in entries.values():
            assert bench.wait_data(entry).data == (b"<ok/>",)
        turned.touch()
        for name, entry in entries.items():
            health = bench.wait_error(entry).health
            assert (name, health.error_code) == (name, PROBES[name][1]), health
            assert str(tmp_path) not in health.error_message
            assert bench.entry(entry).data == (b"<ok/>",)
        turned.unlink()
        now = bench.store.clock.now()
        for entry in entries.values():
            until(lambda entry=entry: is_well(bench, entry, since=now))


@pytest.mark.parametrize(("dialect", "asked"), [("gt4", 1), ("oasis", 2), ("wsrf-lite", 3)])
def test_the_dialect_of_a_member_is_found_out_once(
    embedded: Bench, server: MisbehavingServer, dialect: str, asked: int
) -> None:
    old, new = f"/only/old-epr/{dialect}", f"/only/new-epr/{dialect}"
    first = embedded.register(server.url + old, interval=60_000)
    second = embedded.register(server.url + new, interval=60_000, wsa=WSA_2005_08)
    with running_collector(embedded.config):
        embedded.wait_data(first)
        embedded.wait_data(second)
    assert server.journal.count(old) == asked
    assert server.journal.count(new) == {"gt4": 3, "oasis": 1, "wsrf-lite": 2}[dialect]


def test_a_dialect_that_was_found_out_is_remembered(
    embedded: Bench, server: MisbehavingServer
) -> None:
    path = "/only/wsrf-lite"
    embedded.register(server.url + path)
    with running_collector(embedded.config):
        until(lambda: server.journal.count(path) >= 8)
    actions = [asked.headers["soapaction"] for asked in server.journal.asked]
    assert sum("#" not in action for action in actions) == 2
    with running_collector(embedded.config):
        more = server.journal.count(path) + 3
        until(lambda: server.journal.count(path) >= more)
    actions = [asked.headers["soapaction"] for asked in server.journal.asked]
    assert sum("#" not in action for action in actions) == 2


def test_what_a_member_is_sent(embedded: Bench, server: MisbehavingServer) -> None:
    references = (
        '<wsa:ReferenceProperties><g:Key xmlns:g="urn:g" xmlns:x="urn:x">x:1</g:Key>'
        "</wsa:ReferenceProperties>"
    )
    embedded.register(f"{server.url}/only/oasis", references=references)
    with running_collector(embedded.config):
        until(lambda: len(server.journal.asked) >= 4)
    draft, final, later = (asked.body for asked in server.journal.asked[:3])
    assert b"IsReferenceParameter" not in draft
    assert b'IsReferenceParameter="true"' in final
    for body in (draft, final):
        assert body.count(b'xmlns:x="urn:x"') == 1
        assert b">x:1</g:Key>" in body
        assert b'xmlns:p="http://widgets.com">p:foo<' in body
    identifiers = {body.partition(b"urn:uuid:")[2][:36] for body in (draft, final, later)}
    assert len(identifiers) == 3


def test_expired_and_destroyed_entries_are_removed_and_polled_no_more(
    bench: Bench, server: MisbehavingServer
) -> None:
    with running_collector(bench.config):
        brief = bench.register(f"{server.url}/ok?brief", lifetime=3)
        doomed = bench.register(f"{server.url}/ok?doomed")
        stays = bench.register(f"{server.url}/ok?stays")
        for entry in (brief, doomed, stays):
            bench.wait_data(entry)
        bench.remove(doomed)
        until(lambda: bench.entry(brief) is None)
        time.sleep(0.5)
        counts = [server.journal.count(f"/ok?{name}") for name in ("brief", "doomed", "stays")]
        time.sleep(1)
        after = [server.journal.count(f"/ok?{name}") for name in ("brief", "doomed", "stays")]
    assert after[:2] == counts[:2]
    assert after[2] > counts[2]


def test_a_slow_member_never_overlaps_itself_and_the_skips_are_counted(
    embedded: Bench, server: MisbehavingServer
) -> None:
    entry = embedded.register(f"{server.url}/slow/0.5", interval=100)
    with running_collector(embedded.config):
        until(lambda: embedded.entry(entry).health.skipped_overruns >= 8)
    assert server.journal.most_at_once == 1


def test_members_that_hang_hold_up_only_each_other(
    embedded: Bench, server: MisbehavingServer
) -> None:
    limits = 'max_concurrent = 8\nconnections_per_host = 100\ntimeout = "2s"\n'
    embedded.configure("[collect]\n" + limits)
    for number in range(30):
        embedded.register(f"{server.url}/later/hang?{number}")
    good = [embedded.register(f"{server.url}/ok?{number}") for number in range(4)]
    with running_collector(embedded.config):
        for entry in good:
            embedded.wait_data(entry)
        server.turned.set()
        # One round of them all; from then on they are known to be slow.
        time.sleep(12)
        began = embedded.store.clock.now()
        for entry in good:
            assert until(lambda entry=entry: is_well(embedded, entry, since=began), within=6)


def test_sigterm_ends_it_in_time_although_members_hang(
    embedded: Bench, server: MisbehavingServer
) -> None:
    embedded.configure('[collect]\ntimeout = "30s"\n')
    embedded.register(f"{server.url}/hang")
    good = embedded.register(f"{server.url}/ok")
    with running_collector(embedded.config) as process:
        embedded.wait_data(good)
        until(lambda: server.journal.count("/hang"))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
        assert time.monotonic() - began < 8


def test_sighup_takes_new_settings(embedded: Bench, server: MisbehavingServer) -> None:
    embedded.register(f"{server.url}/ok")
    with running_collector(embedded.config) as process:
        until(lambda: server.journal.asked)
        embedded.configure('[collect]\nuser_agent = "another"\n')
        process.send_signal(signal.SIGHUP)
        assert until(lambda: server.journal.asked[-1].headers["user-agent"] == "another")
        embedded.config.write_text("[collect]\nno_such_key = 1\n")
        process.send_signal(signal.SIGHUP)
        assert until(lambda: "stays as it was" in embedded.log())
        polled = len(server.journal.asked)
        until(lambda: len(server.journal.asked) > polled + 2)
        assert server.journal.asked[-1].headers["user-agent"] == "another"
