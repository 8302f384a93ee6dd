"""``mds-servicegroup-add`` where groups are away, hang, have another clock or ask who we are."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests import soap
from tests.integration.authority import Authority
from tests.integration.commands import (
    block,
    entries,
    registrant,
    run,
    stub,
    time_left,
    write_registrations,
)
from tests.misbehaving import misbehaving
from tests.service import free_port
from tests.soap import NS
from tests.waiting import until


@pytest.fixture
def member(request: pytest.FixtureRequest) -> str:
    """A member that no other test registers."""
    return f"http://127.0.0.1:1/{request.node.name.replace('[', '/').replace(']', '')}"


def test_a_dead_group_delays_no_other(group: str, tmp_path: Path, member: str) -> None:
    with misbehaving() as hanging:
        dead = f"{hanging.url}/hang"
        blocks = [block(f"{member}/{n}", group=dead) for n in range(30)]
        blocks += [block(f"{member}/live/{n}", group=group) for n in range(30)]
        file = write_registrations(tmp_path, *blocks)
        with registrant(tmp_path, file) as running:
            until(lambda: running.out.count("Successfully registered") == 30, within=20)
            ended = running.end()
    assert ended.status == 1
    assert ended.out.endswith("30 of 60 registrations stood at the end\n")


def test_a_group_that_comes_up_later_is_found(tmp_path: Path, member: str) -> None:
    port = free_port()
    group = f"http://127.0.0.1:{port}/wsrf/services/DefaultIndexService"
    file = write_registrations(tmp_path, block(member, interval=3), group=group)
    with registrant(tmp_path, file) as running:
        until(lambda: running.err.startswith("Warning: "))
        assert running.err.startswith(
            f"Warning: Could not register {member} to servicegroup at {group} -- check the URL and "
            f"that the remote service is up.  Remote exception was {group} gave no reply: "
            "Connection refused.  It is tried again in"
        )
        with stub("--port", str(port)):
            until(lambda: entries(group, member), within=10)
        # And when it is away for longer than the entry lives.
        time.sleep(7)
        with stub("--port", str(port)):
            until(lambda: entries(group, member), within=10)


@pytest.mark.parametrize("skew", ["3600", "-3600"])
def test_the_clock_of_the_entry_counts(tmp_path: Path, member: str, skew: str) -> None:
    """A first lifetime of two hours keeps the entry until its own clock is asked for."""
    late = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
    initial = f"<InitialTerminationTime>{late}</InitialTerminationTime>"
    with stub("--skew", skew) as group:
        file = write_registrations(tmp_path, block(member, interval=3, more=initial), group=group)
        with registrant(tmp_path, file):
            until(lambda: entries(group, member))
            (entry,) = soap.entries(group, family="gt4")
            epr = soap.EntryReference(
                entry.findtext(f".//{{{NS['gt4']['wsa']}}}Address") or "",
                soap.etree.tostring(next(entry.iter("{*}ServiceGroupEntryKey"))).decode(),
                "",
            )
            assert until(lambda: 3 < time_left(epr) <= 6, within=10)


def test_an_entry_without_a_clock_is_renewed_by_ours(tmp_path: Path, member: str) -> None:
    with stub("--no-current-time") as group:
        file = write_registrations(tmp_path, block(member, interval=1), group=group)
        with registrant(tmp_path, file) as running:
            until(lambda: entries(group, member))
            for _ in range(4):
                time.sleep(1)
                assert len(entries(group, member)) == 1
            assert running.out.count("Successfully registered") == 1


def test_without_a_certificate_the_way_out_is_named(tmp_path: Path) -> None:
    file = write_registrations(tmp_path, block("http://m/"), group="http://127.0.0.1:1/")
    ended = run("mds-servicegroup-add", "--once", file)
    assert ended.status == 2
    assert ended.err == (
        "error: no client certificate: give --cert and --key, or set X509_USER_CERT and "
        "X509_USER_KEY, or X509_USER_PROXY; or register anonymously with -a\n"
    )


def test_our_certificate_is_presented_unless_we_are_anonymous(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    alice = authority.issue("alice")
    proxy = tmp_path / "proxy.pem"
    proxy.write_text(Path(alice.cert).read_text() + Path(alice.key).read_text())
    context = authority.server_context(authority.issue("index", address="127.0.0.1"), clients=True)
    with misbehaving(context) as server:
        file = write_registrations(tmp_path, block("http://m/"), group=f"{server.url}/html")
        base = ["--once", "--ca", authority.file, file]
        for arguments, environ in (
            (["--cert", alice.cert, "--key", alice.key], {}),
            ([], {"X509_USER_CERT": alice.cert, "X509_USER_KEY": alice.key}),
            ([], {"X509_USER_PROXY": str(proxy)}),
        ):
            ended = run("mds-servicegroup-add", *arguments, *base, environ=environ)
            # It came through to the page that stands for a service.
            assert "answered HTTP 200 with text/html" in ended.err
        ended = run("mds-servicegroup-add", "-a", *base, environ={"X509_USER_PROXY": str(proxy)})
        assert "gave no reply" in ended.err
    assert len(server.journal.asked) == 3


def test_a_certificate_that_nobody_sees_is_told_once_for_each_group(tmp_path: Path) -> None:
    alice = Authority(tmp_path).issue("alice")
    options = ["--once", "--cert", alice.cert, "--key", alice.key]
    with stub() as one, stub() as other:
        blocks = [block(f"http://m/{n}", group=group) for n in range(2) for group in (one, other)]
        file = write_registrations(tmp_path, *blocks)
        ended = run("mds-servicegroup-add", *options, file)
        anonymous = run("mds-servicegroup-add", "-a", *options, file)
    assert (ended.status, anonymous.status) == (0, 0)
    assert ended.err.splitlines() == [
        f"Note: {group} is no https address, so our certificate can't be presented there: "
        "2 of 4 members are registered anonymously"
        for group in (one, other)
    ]
    assert anonymous.err == ""


def test_many_registrations_in_one_file(tmp_path: Path) -> None:
    with stub() as group:
        blocks = [block(f"http://m/{n}") for n in range(1000)]
        file = write_registrations(tmp_path, *blocks, group=group, family="oasis")
        ended = run("mds-servicegroup-add", "-a", "--once", file)
        assert ended.status == 0
        assert ended.out.endswith("1000 of 1000 registrations stood at the end\n")
        assert len(soap.entries(group)) == 1000


def test_a_second_signal_ends_the_clearing_up(tmp_path: Path, member: str) -> None:
    """A group that hangs when its entry is to end must not hold the command."""
    with stub() as group:
        port = int(group.rpartition(":")[2].partition("/")[0])
        file = write_registrations(tmp_path, block(member), group=group)
        with registrant(tmp_path, "--remove", file) as running:
            until(lambda: "Successfully registered" in running.out)
            os.kill(_listener(port), signal.SIGSTOP)
            running.process.send_signal(signal.SIGTERM)
            until(lambda: "Exiting..." in running.out)
            time.sleep(0.2)
            ended = running.end(within=5)
    assert ended.status == 1
    assert "1 could not be ended" in ended.out


def _listener(port: int) -> int:
    for connection in psutil.Process().children():
        for one in connection.net_connections("tcp4"):
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port:
                return connection.pid
    raise AssertionError(f"nobody listens on {port}")
