"""The probe iperf3-throughput on servers of iperf3, and on programs that only look like one."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aggregator.wire.nmwg_times import UNIX_EPOCH
from tests.measuring import measured, refusal, run, serving_iperf3, stored
from tests.pages import Page
from tests.sources_read import ROOT
from tests.waiting import until

HERE, THERE = "127.0.0.1", "127.0.0.2"
PROBE = "iperf3-throughput"
PAGE = Page(ROOT / "docs" / "probes" / f"{PROBE}.md")


def test_throughput_to_the_host_is_measured_and_can_be_stored(tmp_path: Path) -> None:
    before = time.time()
    with serving_iperf3(THERE) as (port, _):
        words = (f"port={port}", "duration=1", f"source={HERE}", "window=65536", "length=32768")
        kept = measured(PROBE, THERE, *words, folder=tmp_path, pairs=1)
    [(test, [row])] = kept.throughputs
    assert (test.kind, test.source, test.destination) == ("bwctl", HERE, THERE)
    assert dict(test.parameters) == {
        "protocol": "TCP",
        "windowSize": "65536",
        "bufferLength": "32768",
        "timeDuration": "1",
    }
    assert before <= row.timestamp / 2**32 - UNIX_EPOCH <= time.time() - 1
    assert row.throughput is not None
    assert row.throughput > 1e6
    assert (row.jitter, row.lost, row.sent) == (None, None, None)


def test_a_limit_of_bandwidth_holds_and_is_told(tmp_path: Path) -> None:
    with serving_iperf3(THERE) as (port, _):
        words = (f"port={port}", "duration=2", "bandwidth=8000000", "length=10000")
        kept = measured(PROBE, THERE, *words, folder=tmp_path, pairs=1)
    [(test, [row])] = kept.throughputs
    assert dict(test.parameters)["bandwidthLimit"] == "8000000"
    assert row.throughput == pytest.approx(8e6, rel=0.3)


def test_udp_has_jitter_and_losses(tmp_path: Path) -> None:
    with serving_iperf3(THERE) as (port, _):
        words = (f"port={port}", "duration=1", "protocol=udp", "bandwidth=4000000", "length=1000")
        kept = measured(PROBE, THERE, *words, folder=tmp_path, pairs=1)
    [(test, [row])] = kept.throughputs
    assert dict(test.parameters)["protocol"] == "UDP"
    assert row.throughput == pytest.approx(4e6, rel=0.3)
    assert row.sent == pytest.approx(500, rel=0.3)
    assert row.lost is not None
    assert 0 <= row.lost <= row.sent
    assert row.jitter is not None
    assert 0 <= row.jitter < 1000


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_from_the_host_to_here_the_ends_are_the_other_way_round(
    tmp_path: Path, protocol: str
) -> None:
    with serving_iperf3(THERE) as (port, _):
        words = (f"port={port}", "duration=1", "reverse=yes", f"protocol={protocol}")
        kept = measured(PROBE, THERE, *words, f"source={HERE}", folder=tmp_path, pairs=1)
    [(test, [row])] = kept.throughputs
    assert (test.source, test.destination) == (THERE, HERE)
    assert row.throughput


def test_a_server_that_is_busy_says_so_itself() -> None:
    with serving_iperf3(THERE) as (port, process):
        command = ("iperf3", "-c", THERE, "-p", str(port), "-t", "20", "-b", "1M")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as other:
            assert process.stdout is not None
            while b"Accepted connection" not in process.stdout.readline():
                assert process.poll() is None
            try:
                told = refusal(PROBE, THERE, f"port={port}", "duration=1")
            finally:
                other.kill()
    assert told == "iperf3: the server is busy running a test. try again later"


def test_where_nothing_serves_iperf3_says_so_itself() -> None:
    with serving_iperf3(THERE) as (port, _):
        pass
    told = refusal(PROBE, THERE, f"port={port}")
    assert told == "iperf3: unable to connect to server: Connection refused"


def test_a_server_that_dies_under_way_is_told() -> None:
    with (
        serving_iperf3(THERE) as (port, process),
        subprocess.Popen(
            (sys.executable, "-c", WAITING, str(process.pid)), stdin=subprocess.PIPE
        ) as killer,
    ):
        told = refusal(PROBE, THERE, f"port={port}", "duration=5", "bandwidth=1000000")
        killer.wait(10)
    assert told.startswith("iperf3: ")


#: Kills a process after a while.
WAITING = "import os, sys, time; time.sleep(1.5); os.kill(int(sys.argv[1]), 9)"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("duration=0",), "duration: '0' is no whole number from 1 to 3600"),
        (("duration=1s",), "duration: '1s' is no whole number from 1 to 3600"),
        (("port=-1",), "port: '-1' is no whole number from 1 to 65535"),
        (("protocol=sctp",), "protocol: 'sctp' is no one of tcp, udp"),
        (("bandwidth=10M",), "bandwidth: '10M' is no whole number from 1 to 1000000000000"),
        (("window=1 -F /etc/passwd",), "window: '1 -F /etc/passwd' is no whole number from"),
        (("source=-F",), "source: '-F' is no IPv4 or IPv6 address"),
        (("source=::1%-F x",), "source: '::1%-F x' is no IPv4 or IPv6 address"),
        (("reverse=true",), "reverse: 'true' is no one of yes, no"),
        (("-F", "/etc/passwd"), "'-F' is no setting"),
    ],
)
def test_a_check_that_can_not_work_is_told_in_one_line(words: tuple[str, ...], told: str) -> None:
    assert told in refusal(PROBE, THERE, *words)


def python_alone(folder: Path) -> Path:
    """A folder with a Python that knows this installation, and nothing else."""
    script = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    (folder / "python3").write_text(script)
    (folder / "python3").chmod(0o755)
    return folder


def test_without_iperf3_the_probe_says_what_is_missing(tmp_path: Path) -> None:
    told = refusal(PROBE, THERE, "port=1", path=str(python_alone(tmp_path)))
    assert told == "there is no program 'iperf3' in PATH; install iperf3"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo oops >&2; exit 3", "iperf3: oops"),
        ("exit 3", "iperf3: it ended with 3"),
        ("echo '[]'", "iperf3: []"),
        ("echo '{}'", "iperf3 left out what was measured (KeyError('start'))"),
        ("echo '{}'; exit 1", "iperf3: it ended with 1"),
        ("kill -9 $$", "iperf3: it ended with -9"),
        ("""printf %s '{"error": "no\\n\\u001b[31mway"}'""", "iperf3: no [31mway"),
    ],
)
def test_a_program_that_only_looks_like_iperf3_is_told(
    tmp_path: Path, script: str, told: str
) -> None:
    fake = python_alone(tmp_path) / "iperf3"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    assert refusal(PROBE, THERE, "port=1", path=str(tmp_path)) == told


def test_iperf3_gets_its_words_one_by_one_and_no_input(tmp_path: Path) -> None:
    fake = python_alone(tmp_path) / "iperf3"
    fake.write_text('#!/bin/sh\nread x && exit 9\nprintf "%s|" "$@"\nexit 3\n')
    fake.chmod(0o755)
    told = refusal(PROBE, THERE, "duration=2", "source=::1", path=str(tmp_path))
    words = f"-c|{THERE}|-J|-i|0|-t|2|-p|5201|--connect-timeout|5000|-B|::1|"
    assert told == f"iperf3: {words}"


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """With a server on a free port, for a second each."""
    lines = [line for text in PAGE.fenced("sh") for line in text.splitlines() if line]
    words = [shlex.split(line, comments=True) for line in lines]
    assert [one[0] for one in words] == ["iperf3", PROBE, PROBE]
    with serving_iperf3(THERE) as (port, _):
        for _, address, *settings in words[1:]:
            assert address.startswith("http://myhost/")
            kept = [one for one in settings if not one.startswith(("duration=", "port="))]
            done = run(PROBE, THERE, *kept, f"port={port}", "duration=1")
            assert done.returncode == 0, done.stderr
            assert stored(done.stdout, tmp_path, pairs=1).throughputs


def test_a_probe_that_is_killed_leaves_no_iperf3_behind() -> None:
    """As at a time-out of the service, which signals all processes of a probe."""
    with serving_iperf3(THERE) as (port, _):
        command = (sys.executable, ROOT / "libexec" / "aggrexec" / PROBE, f"http://{THERE}/")
        words = (*command, f"port={port}", "duration=30", "bandwidth=1000000")
        with subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as probe:
            asked = f"-p\0{port}\0".encode()

            def clients() -> list[str]:
                found = []
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        line = path.read_bytes()
                    except OSError:
                        continue
                    if line.startswith(b"/") and b"-c\0" in line and asked in line:
                        found.append(str(path))
                return found

            until(clients, what="the client")
            os.killpg(probe.pid, signal.SIGTERM)
            probe.wait(10)
            until(lambda: not clients(), what="the client's end")
