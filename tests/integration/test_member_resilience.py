"""A member under hostile clients and expressions, and the ends that it can meet."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import soap
from tests.integration.member_kit import (
    GLUE,
    SITE,
    RunningMember,
    ask,
    member,
    program,
    raw,
    receive,
)
from tests.waiting import until

HOST = f"{{{GLUE}}}Host"
#: Runs for hours on a document of a thousand elements.
HOSTILE = "//*[count(//*[count(//*[count(//*[count(//*)>0])>0])>0])>0]"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMember]:
    """A member with a document large enough for expressions that take long."""
    folder = tmp_path_factory.mktemp("member")
    (folder / "big.xml").write_text("<all>" + "<n><m/></n>" * 2000 + "</all>")
    config = '[member]\nquery_timeout = 2\nmax_body = "64KiB"\n'
    config += '[[property]]\nname = "glue:Host"\nhost = "Host"\n'
    deep = "<deep>" * 100 + "text" * 15_000 + "</deep>" * 100
    (folder / "deep.xml").write_text(deep)
    for name in ("big", "deep"):
        config += f'[[property]]\nname = "{{{SITE}}}{name}"\nfile = "{name}.xml"\n'
    with member(folder, config) as running:
        yield running


def children_at_work(running: RunningMember) -> int:
    """How many expressions are being evaluated."""
    return len(running.named("mds-member-eval")) - 1


def test_hostile_expressions_end_with_a_fault_and_hold_nobody_up(host: RunningMember) -> None:
    answers: list[soap.Answer] = []

    def attack(number: int) -> None:
        answers.append(soap.query(host.url, f"{HOSTILE}[{number}]"))

    attackers = [threading.Thread(target=attack, args=(number,)) for number in range(2)]
    for attacker in attackers:
        attacker.start()
    until(lambda: children_at_work(host) == 2, what="both are being evaluated")
    began = time.monotonic()
    for _ in range(20):
        assert ask(host, HOST).status == 200
    assert time.monotonic() - began < 1.5
    for attacker in attackers:
        attacker.join()
    assert [answer.fault[0] for answer in answers] == ["QueryEvaluationErrorFault"] * 2
    assert all("2 s" in answer.fault[1] for answer in answers)
    until(lambda: children_at_work(host) == 0, what="nothing evaluates any more")
    assert soap.query(host.url, "count(//m)").body.text == "2000"


def test_too_many_expressions_of_one_client_wait_and_then_get_a_fault(host: RunningMember) -> None:
    faults: list[str] = []

    def attack(number: int) -> None:
        faults.append(soap.query(host.url, f"{HOSTILE}[{number}]").fault[1])

    attackers = [threading.Thread(target=attack, args=(number,)) for number in range(5, 11)]
    for attacker in attackers:
        attacker.start()
    until(lambda: children_at_work(host) == 2)
    time.sleep(0.3)
    assert children_at_work(host) == 2
    for attacker in attackers:
        attacker.join()
    assert len([fault for fault in faults if "too many expressions" in fault]) >= 2


def is_over(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == "zombie"
    except psutil.NoSuchProcess:
        return True


def test_the_evaluating_process_is_started_again(host: RunningMember) -> None:
    assert soap.query(host.url, "count(//m)").status == 200
    # What has just answered may still be ending beside it.
    evaluators = host.named("mds-member-eval")
    assert evaluators
    for evaluator in evaluators:
        with contextlib.suppress(psutil.NoSuchProcess):
            evaluator.kill()
    until(lambda: all(map(is_over, evaluators)))
    assert soap.query(host.url, "count(//n)").body.text == "2000"


def test_a_result_that_is_too_large_is_a_fault(host: RunningMember) -> None:
    # Each of the nested elements holds the long text.
    answer = soap.query(host.url, "//deep")
    assert answer.fault[0] == "QueryEvaluationErrorFault"
    assert "more than 4194304 bytes" in answer.fault[1]


def test_clients_that_trickle_stop_or_do_not_read_hold_nothing(host: RunningMember) -> None:
    body = soap.envelope(
        '<rp:GetResourcePropertyDocument xmlns:rp="http://docs.oasis-open.org/wsrf/rp-2"/>'
    )
    request = (
        b"POST /wsrf/services/HostService HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with contextlib.ExitStack() as links:
        for number in range(300):
            link = links.enter_context(socket.create_connection(host.address, timeout=10))
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            if number % 3 == 0:
                link.sendall(request[:30])
            elif number % 3 == 1:
                link.sendall(request + body[:10])
            else:
                link.sendall((request + body) * 20)
        began = time.monotonic()
        for _ in range(50):
            assert ask(host, HOST).status == 200
        assert time.monotonic() - began < 3


def test_more_connections_than_descriptors_allow_are_refused(tmp_path: Path) -> None:
    health = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    with member(tmp_path / "m", under=["prlimit", "--nofile=180:180"]) as running:
        with contextlib.ExitStack() as links:
            answers = []
            for _ in range(70):
                link = socket.create_connection(running.address, timeout=10)
                links.enter_context(link)
                link.sendall(health)
                answers.append(link.recv(65536).partition(b"\r\n")[0])
            assert answers == [b"HTTP/1.1 200 OK"] * 52 + [b"HTTP/1.1 503 Service Unavailable"] * 18
            assert soap.query(running.url, "1").status == 503
        until(lambda: raw(running, health).startswith(b"HTTP/1.1 200"))
        assert soap.query(running.url, "count(/*)").body.text == "1"


def test_a_request_that_does_not_come_is_refused_in_time(host: RunningMember) -> None:
    with socket.create_connection(host.address, timeout=20) as link:
        link.sendall(b"POST /wsrf/services/HostService HT")
        answer = receive(link, silence=14)
    assert answer.startswith(b"HTTP/1.1 408 ")


BAD_HEADS = [
    (b"GET / HTTP/3.0\r\n\r\n", b" 400 "),
    (b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n", b" 400 "),
    (b"GET / HTTP/1.1\r\n\r\n", b" 400 "),
    (b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", b" 400 "),
    (b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", b" 400 "),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", b" 400 "),
    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b" 400 "),
    (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b" 400 ",
    ),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", b" 400 "),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b" 400 "),
    (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", b" 400 "),
    (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 200 + b"\r\n", b" 431 "),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 40_000 + b"\r\n\r\n", b" 431 "),
    (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 40_000, b" 431 "),
]


@pytest.mark.parametrize(("content", "status"), BAD_HEADS)
def test_what_is_no_http_request_is_refused_and_the_connection_closed(
    host: RunningMember, content: bytes, status: bytes
) -> None:
    answer = raw(host, content)
    assert status in answer.partition(b"\r\n")[0]
    assert b"Connection: close" in answer


def test_a_client_that_closes_its_half_gets_its_answer(host: RunningMember) -> None:
    body = soap.envelope(
        '<rp:QueryResourceProperties xmlns:rp="http://docs.oasis-open.org/wsrf/rp-2">'
        "<rp:QueryExpression>count(//m)</rp:QueryExpression></rp:QueryResourceProperties>"
    )
    head = b"POST /wsrf/services/HostService HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = raw(host, head + body, half_close=True)
    assert b">2000<" in answer


def test_sigterm_ends_it_cleanly_and_finishes_what_was_asked(tmp_path: Path) -> None:
    hanging = program(tmp_path, "hanging", "trap '' TERM; sleep 100\n")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "big.xml").write_text("<all>" + "<n><m/></n>" * 1000 + "</all>")
    config = "[member]\nquery_timeout = 1\n"
    config += f'[[property]]\nname = "x"\nexecutable = ["{hanging}"]\ntimeout = 50\n'
    config += '[[property]]\nname = "y"\nfile = "big.xml"\n'
    with member(tmp_path / "m", config) as running:
        family = running.family()
        answers: list[soap.Answer] = []
        asking = threading.Thread(target=lambda: answers.append(soap.query(running.url, HOSTILE)))
        asking.start()
        until(lambda: children_at_work(running) == 1)
        with socket.create_connection(running.address):
            began = time.monotonic()
            assert running.stop() == 0
        assert time.monotonic() - began < 8
        asking.join()
        assert answers[0].fault[0] == "QueryEvaluationErrorFault"
        assert "Traceback" not in running.logs()
    until(lambda: not [p for p in family if _lives(p)], what="nothing of it is left")


def test_nothing_is_left_of_a_member_that_was_killed(tmp_path: Path) -> None:
    hanging = program(tmp_path, "hanging", "trap '' TERM; setsid sleep 101 & sleep 100\n")
    config = f'[[property]]\nname = "x"\nexecutable = ["{hanging}"]\ntimeout = 50\n'
    config += '[[property]]\nname = "y"\nhost = "GLUECE"\n'
    with member(tmp_path / "m", config) as running:
        until(lambda: len(running.named("sleep")) == 2)
        family = running.family()
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
    assert until(lambda: not [p for p in family if _lives(p)], what="nothing of it is left")


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run_member(*options: str) -> subprocess.CompletedProcess[str]:
    """The command, which is to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "aggregator", "member", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wrong_usage_is_one_line_each_and_status_2(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('[member]\nprot = 1\n\n[[property]]\nname = "x"\nperiod = "soon"\n')
    done = run_member("--config", str(file))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: {file}:2: member.prot: unknown key; did you mean port?",
        f"error: {file}:4: property.1: a property has exactly one of executable, file, url, host, "
        "scheduler; here: none",
        f'error: {file}:6: property.1.period: "soon" is not 0 or a duration from 100ms to 366d '
        '(seconds or "1m30s")',
    ]
    assert run_member("--port", "70000").returncode == 2
    missing = run_member("--config", str(tmp_path / "none.toml"))
    told = f"error: {tmp_path}/none.toml: can't be read: No such file or directory\n"
    assert missing.stderr == told


def test_an_address_that_is_taken_is_told_in_a_line(host: RunningMember) -> None:
    done = run_member("--port", str(host.address[1]))
    assert (done.returncode, done.stdout) == (1, "")
    told = f"error: can't listen on 127.0.0.1 port {host.address[1]}: Address already in use\n"
    assert done.stderr == told


def test_help_shows_an_example() -> None:
    done = run_member("--help")
    assert done.returncode == 0
    assert "Example: aggregator member" in done.stdout
