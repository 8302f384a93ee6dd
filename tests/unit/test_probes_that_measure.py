"""Packets, clocks, messages and settings of the probes that measure."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from lxml import etree

from aggregator.probes import clock, nmwg, throughput, twamp
from aggregator.probes.checks import family_of, host_of, words_for
from aggregator.probes.datagrams import Datagram
from aggregator.probes.delays import Direction
from aggregator.probes.misuse import Misuse
from aggregator.probes.reflecting import Allowance
from aggregator.probes.sending import Sample
from aggregator.wire.nmwg_times import UNIX_EPOCH, from_shown


def test_a_packet_is_as_the_rfc_lays_it_out() -> None:
    data = twamp.packet(3, 0x0102030405060708, 0x8A0B, 2)
    assert data == b"\0\0\0\3\1\2\3\4\5\6\7\x08\x8a\x0b\0\0"
    answer = twamp.reflection(data.ljust(44, b"x"), received=1, sent=2, error=3, ttl=64)
    head = "00000003" + "0000000000000002" + "0003" + "0000" + "0000000000000001"
    assert answer.hex() == head + data[:14].hex() + "0000" + "40" + "000000"


def test_a_reflection_is_read_only_where_it_is_one() -> None:
    data = twamp.packet(3, 9, 1, 30)
    answer = twamp.reflection(data, received=1, sent=2, error=3, ttl=64)
    assert twamp.read_reflection(answer, asked=44) == twamp.Reflection(2, 3, 1, 3, 9, 64)
    assert twamp.read_reflection(answer[:40], asked=44) is None
    for length, asked, is_read in ((1500, 44, True), (1501, 44, False), (2030, 2000, True)):
        found = twamp.read_reflection(answer.ljust(length, b"\0"), asked=asked)
        assert (found is not None) is is_read


def test_an_instant_is_that_of_archives() -> None:
    now = time.time_ns()
    instant = clock.ntp(now)
    text = nmwg.throughput_datum(instant, {}).partition('timeValue="')[2].partition('"')[0]
    assert from_shown(text, "unix") == instant
    assert abs(instant / 2**32 - UNIX_EPOCH - now / 1e9) < 1e-6


@pytest.mark.parametrize("seconds", [0.0, 0.25, -0.25, 3600.0, -3600.0, 2.0**30, -(2.0**30)])
@pytest.mark.parametrize("earlier", [0, 1 << 32, 2**64 - 1, 2**63])
def test_a_delay_has_a_sign_and_outlives_an_era(earlier: int, seconds: float) -> None:
    later = (earlier + int(seconds * 2**32)) % 2**64
    assert clock.seconds_between(earlier, later) == seconds


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-6, 0.000341, 0.5, 1.0, 16.0, 80000.0])
def test_an_error_estimate_is_rounded_up_a_little(seconds: float) -> None:
    for synchronised in (True, False):
        found = clock.estimate(seconds, synchronised=synchronised)
        assert bool(found & 0x8000) is synchronised
        assert not found & 0x4000
        told = clock.seconds_of(found)
        assert told is not None
        assert seconds <= told <= seconds * 1.02 + 1e-9


@pytest.mark.parametrize("nothing", [0, 0x8000, 0x3F00, 0x3FFF, 0xFFFF])
def test_an_error_estimate_may_say_nothing(nothing: int) -> None:
    assert clock.seconds_of(nothing) is None


def test_the_clock_of_this_machine_has_an_error() -> None:
    found = clock.seconds_of(clock.error_estimate())
    assert found is not None
    assert 0 < found < 100


def test_where_the_kernel_does_not_tell_the_error_is_that_of_a_free_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock.ctypes, "CDLL", lambda *_, **__: object())
    found = clock.error_estimate()
    assert not found & 0x8000
    assert clock.seconds_of(found) == pytest.approx(16, rel=0.01)


def sample() -> Sample:
    found = Sample("192.0.2.1", "192.0.2.2", 44, clock.estimate(0.001, synchronised=True))
    found.next_packet()
    return found


def reflected(found: Sample, *, ttl: int = 64, later: int = 0) -> bytes:
    now = found.sent[0] + later
    packet = twamp.packet(0, found.sent[0], 1, 30)
    return twamp.reflection(packet, received=now, sent=now, error=1, ttl=ttl)


def test_a_hostile_reflector_fills_no_memory() -> None:
    found = sample()
    for number in range(10_000):
        found.take(Datagram(reflected(found, later=number), None, time.time_ns(), 64))
    assert len(found.forward.delays) == len(found.backward.delays) == 1
    assert found.forward.duplicates == 9_999
    assert len(found.answers[0]) < 100


def test_without_a_ttl_and_an_error_none_is_told() -> None:
    found = sample()
    found.error = 0
    found.take(Datagram(reflected(found, ttl=0), None, time.time_ns(), None))
    for one in (found.forward, found.backward):
        assert set(one.told(1)) == {"min_delay", "max_delay", "sent", "loss", "duplicates"}


def test_buckets_begin_at_multiples_of_their_width() -> None:
    found = Direction()
    for delay in (0.00015, 0.00019, 0.00025, -0.00001, -0.00015, 0.0, 300_000.0, -300_000.0):
        found.add(delay, 64, None)
    assert found.buckets() == [(-2, 1), (-1, 1), (0, 1), (1, 2), (2, 1)]
    assert (found.told(9)["min_delay"], found.told(9)["loss"]) == ("-300000.000000000", "1")


def test_a_message_is_xml_whatever_it_holds() -> None:
    datum = nmwg.throughput_datum(1 << 63, {"throughput": '1"<&'})
    pair = nmwg.pair("a", "iperf", ("::1", "192.0.2.1"), settings={"protocol": "TCP"}, datum=datum)
    root = etree.fromstring(nmwg.message("it", [pair, pair]).encode())
    ends = [dict(one.attrib) for one in root.iterfind(".//{*}endPointPair/*")]
    assert ends[:2] == [{"type": "ipv6", "value": "::1"}, {"type": "ipv4", "value": "192.0.2.1"}]
    assert [one.get("throughput") for one in root.iterfind(".//{*}datum")] == ['1"<&'] * 2


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://myhost:8443/a", "myhost"),
        ("https://[2001:db8::1]/", "2001:db8::1"),
        ("https://[::1]:99/", "::1"),
        ("http://b\u00fccher.example/", "b\u00fccher.example"),
        ("http://_x.example/", "_x.example"),
    ],
)
def test_the_host_is_cut_from_the_address(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    "address",
    ["http://-c/", "http://--bind=x/", "ftp://h/", "h", "", "http://", "http://[::1/",
     "http://h h/", "http://\\x/", "http://:80/", "http:///x", "http://./"],
)  # fmt: skip
def test_what_has_no_host_is_refused(address: str) -> None:
    with pytest.raises(Misuse, match="is no http or https URL with a host"):
        host_of(address)


def test_numeric_addresses_have_a_family() -> None:
    found = [family_of(one) for one in ("192.0.2.1", "::1", "fe80::1%eth0", "h", "", "1.2.3", "\0")]
    assert found == ["ipv4", "ipv6", "ipv6", "", "", "", ""]


@pytest.mark.parametrize("told", ['["a", 1]', '{"a": "b"}', '"a"', "7"])
def test_a_check_that_is_no_list_of_texts_is_refused(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGGREGATOR_PROBE_CHECK", told)
    with pytest.raises(Misuse, match="AGGREGATOR_PROBE_CHECK is no list of texts"):
        words_for(["it"], Path("/nowhere/probe"))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("x = 1", r"needs a table \[checks\]"),
        ("checks = 1", r"needs a table \[checks\]"),
        ('[checks]\nit = "x"', "the check 'it' is no list of texts"),
        ("[checks]\nother = []", r"there is no check 'it' \(there are other\)"),
    ],
)
def test_a_wrong_file_of_checks_is_refused(tmp_path: Path, file: str, told: str) -> None:
    (tmp_path / "probe.toml").write_text(file)
    with pytest.raises(Misuse, match=told):
        words_for(["it"], tmp_path / "probe")


def test_an_allowance_fills_with_time() -> None:
    now = [100.0]
    found = Allowance(10, lambda: now[0])
    assert [found.take() for _ in range(12)] == [True] * 10 + [False] * 2
    now[0] += 0.25
    assert [found.take() for _ in range(4)] == [True, True, False, False]
    now[0] += 1000
    assert sum(found.take() for _ in range(100)) == 10


def test_the_command_of_iperf3_is_a_list_of_checked_words() -> None:
    plan = throughput.Plan("udp", 7, 5301, 10**6, 65536, 1400, "yes", "192.0.2.1")
    assert plan.command("myhost") == [
        "-c", "myhost", "-J", "-i", "0", "-t", "7", "-p", "5301", "--connect-timeout", "5000", "-u",
        "-R", "-b", "1000000", "-w", "65536", "-l", "1400", "-B", "192.0.2.1",
    ]  # fmt: skip
    assert throughput.Plan().told() == {"protocol": "TCP", "timeDuration": "5"}
    assert throughput.Plan("udp").told()["bandwidthLimit"] == "1000000"


CONNECTED = {"connected": [{"local_host": "192.0.2.1", "remote_host": "192.0.2.2"}]}


def udp(**told: object) -> dict[str, object]:
    all = {"bits_per_second": 1000.0, "jitter_ms": 0.5, "lost_packets": 25, "packets": 100}
    return {"start": CONNECTED, "end": {"sum": {**all, **told}}}


def test_an_older_iperf3_leaves_the_received_to_be_reckoned() -> None:
    text = throughput.document(udp(), throughput.Plan("udp"), 1 << 63)
    assert 'throughput="750.0" jitter="0.5" lost="25" sent="100"' in text
    late = throughput.document(udp(lost_packets=-2), throughput.Plan("udp"), 1 << 63)
    assert 'lost="0" sent="100"' in late


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({}, "left out what was measured"),
        ({"start": {"connected": []}}, "left out what was measured"),
        ({"start": CONNECTED, "end": {}}, "left out what was measured"),
        ({"start": 5}, "left out what was measured"),
        (udp(packets=0), "left out what was measured"),
        (udp(jitter_ms="fast"), "'fast', which is no measurement"),
        (udp(jitter_ms=float("nan")), "nan, which is no measurement"),
        (udp(lost_packets="x"), "no measurement|left out"),
        (
            {**udp(), "start": {"connected": [{"local_host": "a", "remote_host": '"/>'}]}},
            "which are no addresses",
        ),
    ],
)
def test_what_iperf3_says_is_looked_at(result: dict[str, object], told: str) -> None:
    with pytest.raises(Misuse, match=told):
        throughput.document(result, throughput.Plan("udp"), 1)


def test_a_reflection_of_another_packet_is_not_taken() -> None:
    found = sample()
    good = reflected(found)
    for other in (
        good[:24] + struct.pack("!I", 1) + good[28:],
        good[:28] + struct.pack("!Q", found.sent[0] + 1) + good[36:],
    ):
        found.take(Datagram(other, None, time.time_ns(), 64))
    assert found.forward.delays == []
