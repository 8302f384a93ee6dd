"""The reflector of twping-lite, asked by bare sockets: what it answers, and what it does not."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from aggregator.collect.probes import shipped_folder
from tests.measuring import reflecting

HERE, THERE = "127.0.0.1", "127.0.0.2"
SENT = struct.pack("!IIIH", 7, 4_004_000_000, 5, 0x8001)


@pytest.fixture
def reflector() -> Iterator[int]:
    with reflecting(f"{THERE}:0") as (port, _):
        yield port


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((HERE, 0))
        opened.settimeout(10)
        yield opened


def ask(sender: socket.socket, port: int, data: bytes) -> bytes:
    sender.sendto(data, (THERE, port))
    answer, place = sender.recvfrom(65535)
    assert place == (THERE, port)
    return answer


def answered(sender: socket.socket, port: int, *packets: bytes) -> list[int]:
    """The sequence numbers of what is answered, up to a last packet that always is."""
    for data in (*packets, struct.pack("!IIIH", 999, 1, 1, 1).ljust(41, b"\0")):
        sender.sendto(data, (THERE, port))
    found = []
    while 999 not in found:
        found.append(struct.unpack_from("!I", sender.recv(65535))[0])
    return found[:-1]


@pytest.mark.parametrize("length", [41, 42, 44, 1472, 8972])
def test_an_answer_is_as_the_rfc_lays_it_out_and_no_longer_than_the_question(
    sender: socket.socket, reflector: int, length: int
) -> None:
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 77)
    before = time.time()
    data = ask(sender, reflector, SENT.ljust(length, b"x"))
    assert len(data) == length
    fields = struct.unpack_from("!IIIHHIIIIIHHB", data)
    sequence, sent, sent_part, error, unused, got, got_part, *repeated, none, ttl = fields
    assert (sequence, repeated) == (7, [7, 4_004_000_000, 5, 0x8001])
    assert (unused, none, ttl) == (0, 0, 77)
    assert error & 0xFF
    assert not error & 0x4000
    received, left = (
        whole - 2208988800 + part / 2**32 for whole, part in ((got, got_part), (sent, sent_part))
    )
    assert before - 0.001 <= received <= left <= time.time() + 0.001
    assert set(data[41:]) <= {0}


@pytest.mark.parametrize("length", [0, 1, 13, 14, 40])
def test_what_is_shorter_than_its_answer_gets_none(
    sender: socket.socket, reflector: int, length: int
) -> None:
    assert answered(sender, reflector, SENT.ljust(length, b"x")[:length]) == []


def test_what_is_not_of_the_protocol_gets_none(sender: socket.socket, reflector: int) -> None:
    in_another_form = SENT[:12] + b"\xc0\x01" + bytes(30)
    assert answered(sender, reflector, in_another_form) == []


def test_reflections_are_not_reflected(sender: socket.socket, reflector: int) -> None:
    first = ask(sender, reflector, SENT.ljust(44, b"\0"))
    assert answered(sender, reflector, first) == []


def test_two_reflectors_do_not_play_ball(sender: socket.socket, reflector: int) -> None:
    with reflecting(f"{HERE}:0") as (other, process):
        # As if the other had asked: its answer comes back as a question.
        sender.sendto(SENT.ljust(44, b"\0"), (HERE, other))
        first = sender.recv(65535)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as third:
            third.bind((HERE, 0))
            third.sendto(first, (THERE, reflector))
            third.settimeout(0.5)
            with pytest.raises(TimeoutError):
                third.recv(65535)
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == "reflected 1, ignored 0\n"


def test_who_sends_from_a_reflectors_port_gets_none(reflector: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((HERE, reflector))
        opened.settimeout(0.5)
        opened.sendto(SENT.ljust(41, b"x"), (THERE, reflector))
        with pytest.raises(TimeoutError):
            opened.recv(65535)


def test_the_rate_is_bounded(sender: socket.socket) -> None:
    with reflecting(f"{THERE}:0", "rate=20") as (port, process):
        began = time.monotonic()
        for _ in range(1000):
            sender.sendto(SENT.ljust(41, b"x"), (THERE, port))
            time.sleep(0.0005)
        process.terminate()
        assert process.stdout is not None
        words = process.stdout.read().replace(",", "").split()
        passed = time.monotonic() - began
    reflected, ignored = int(words[1]), int(words[3])
    assert 20 <= reflected <= 21 + 20 * passed
    assert ignored > 100


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("0.0.0.0:8620", "'0.0.0.0:8620' is every address of this machine; name one"),
        ("[::]:8620", "'[::]:8620' is every address of this machine; name one"),
        ("127.0.0.1:65536", "'127.0.0.1:65536' is no ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT"),
        ("127.0.0.1:x", "'127.0.0.1:x' is no ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT"),
        ("192.0.2.77:8620", "can't reflect on 192.0.2.77:8620: Cannot assign requested address"),
        ("no-such-host.invalid", "'no-such-host.invalid' is no address: "),
    ],
)
def test_where_it_can_not_reflect_it_says_so(place: str, told: str) -> None:
    command = (sys.executable, shipped_folder() / "twping-lite", "--reflect", place)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(told)


def test_a_port_that_is_taken_is_told(reflector: int) -> None:
    place = f"{THERE}:{reflector}"
    command = (sys.executable, shipped_folder() / "twping-lite", "--reflect", place)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == f"can't reflect on {place}: Address already in use\n"
