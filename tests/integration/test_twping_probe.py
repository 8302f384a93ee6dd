"""The probe twping-lite against reflectors of all sorts, each a process."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lxml import etree

from aggregator.collect.probes import shipped_folder
from aggregator.store.measured_values import Delay
from aggregator.wire.nmwg_times import UNIX_EPOCH
from tests import soap
from tests.measuring import Kept, erring, measured, reflecting, refusal, run
from tests.pages import Page
from tests.service import free_port, running_service
from tests.soap import AGG
from tests.sources_read import ROOT
from tests.waiting import until

HERE, THERE = "127.0.0.1", "127.0.0.2"
#: Where all is answered nothing is waited for, but a busy machine may be late.
QUICK = ("interval=0.01", "timeout=10")
LOSSY = ("interval=0.01", "timeout=1")
PAGE = Page(ROOT / "docs" / "probes" / "twping-lite.md")


def sample(folder: Path, port: int, *words: str, host: str = THERE) -> Kept:
    return measured("twping-lite", host, f"port={port}", *words, folder=folder, pairs=2)


def both(kept: Kept, here: str = HERE, there: str = THERE) -> tuple[Delay, Delay]:
    return kept.delay(here, there), kept.delay(there, here)


def unix(instant: int) -> float:
    return instant / 2**32 - UNIX_EPOCH


def test_both_directions_are_measured_and_can_be_stored(tmp_path: Path) -> None:
    before = time.time()
    with reflecting(f"{THERE}:0") as (port, _):
        kept = sample(tmp_path, port, *QUICK, f"source={HERE}", "packets=20")
    for row in both(kept):
        assert before <= unix(row.start) <= unix(row.end) <= time.time()
        assert unix(row.end) - unix(row.start) >= 0.19
        assert (row.sent, row.lost, row.duplicates) == (20, 0, 0)
        # Within one machine there is one clock, and no hop.
        assert row.min_delay is not None
        assert row.max_delay is not None
        assert 0 < row.min_delay <= row.max_delay < 10
        assert (row.min_ttl, row.max_ttl) == (255, 255)
        assert row.max_error is not None
        assert 0 < row.max_error < 100
        assert sum(count for _, count in row.buckets) == 20
        assert row.buckets[0][0] == int(row.min_delay / 0.0001)
        assert row.buckets[-1][0] == int(row.max_delay / 0.0001)
    settings = dict(kept.delays[0][0].parameters)
    assert settings == {
        "count": "20",
        "bucket_width": "0.0001",
        "schedule": '<interval type="fixed">0.01</interval>',
        "timeout": "10",
        "packet_padding": "30",
    }


def test_ipv6_is_measured_as_well() -> None:
    try:
        with reflecting("[::1]:0") as (port, _):
            done = run("twping-lite", "::1", f"port={port}", *QUICK)
    except ValueError:
        pytest.skip("there is no IPv6 on this machine")
    root = etree.fromstring(done.stdout.encode())
    ends = [dict(one.attrib) for one in root.iterfind(".//{*}endPointPair/*")]
    assert ends == [{"type": "ipv6", "value": "::1"}] * 4
    for row in root.iterfind(".//{*}datum"):
        assert (row.get("loss"), row.get("minTTL"), row.get("maxTTL")) == ("0", "255", "255")


def test_without_a_check_ten_packets_go_to_the_port_of_the_protocol(tmp_path: Path) -> None:
    began = time.monotonic()
    kept = measured("twping-lite", THERE, folder=tmp_path, pairs=2)
    assert time.monotonic() - began < 10
    for row in both(kept):
        assert (row.sent, row.lost, row.duplicates) == (10, 10, 0)
        assert (row.min_delay, row.max_delay, row.min_ttl, row.max_error) == (None,) * 4
        assert row.buckets == ()


def test_what_is_lost_and_what_comes_twice_is_counted(tmp_path: Path) -> None:
    with erring("lossy", THERE) as port:
        there, back = both(sample(tmp_path, port, *LOSSY, "timeout=3", "packets=9"))
    assert (there.sent, there.lost, there.duplicates) == (9, 3, 1)
    assert (back.sent, back.lost, back.duplicates) == (9, 3, 1)
    assert sum(count for _, count in there.buckets) == 6
    # The reflector says with what TTL packets came; how its own came is seen here.
    assert (there.min_ttl, there.max_ttl) == (250, 250)
    assert back.min_ttl is not None
    assert back.min_ttl != 250


def test_what_is_no_reflection_is_ignored(tmp_path: Path) -> None:
    with erring("forging", THERE) as port:
        for row in both(sample(tmp_path, port, *LOSSY, "packets=5")):
            assert (row.sent, row.lost, row.duplicates, row.min_delay) == (5, 5, 0, None)


def test_a_clock_that_is_behind_makes_delays_negative(tmp_path: Path) -> None:
    before = time.time()
    with erring("skewed", THERE) as port:
        there, back = both(sample(tmp_path, port, *QUICK, "packets=3"))
    assert there.max_delay is not None
    assert back.min_delay is not None
    assert -10 < there.max_delay < -5
    assert 10 < back.min_delay < 15
    assert [value < -50_000 for value, _ in there.buckets] == [True] * len(there.buckets)
    # The span is told by the clock of this side.
    assert before - 1 < unix(there.start) <= unix(there.end) < time.time() + 1


def test_a_clock_of_other_years_is_told_without_buckets(tmp_path: Path) -> None:
    with erring("of_1970", THERE) as port:
        there, back = both(sample(tmp_path, port, *QUICK, "packets=2"))
    assert there.min_delay is not None
    assert there.min_delay < -1e9
    assert (there.lost, there.buckets, back.buckets) == (0, (), ())


def test_a_reflector_that_counts_and_pads_as_it_likes_is_understood(tmp_path: Path) -> None:
    with erring("padding", THERE) as port:
        there, back = both(sample(tmp_path, port, *QUICK, "packets=4"))
    assert (there.lost, back.lost) == (0, 0)
    # It knows neither the TTL nor how far off its clock is.
    assert (there.min_ttl, there.max_error) == (None, None)


def test_padding_makes_packets_long(tmp_path: Path) -> None:
    with reflecting(f"{THERE}:0") as (port, _):
        assert sample(tmp_path, port, *QUICK, "padding=8958").delays[0][1][0].lost == 0
        # Shorter than the answer: a reflector that sent more than it got could be misused.
        assert sample(tmp_path, port, *LOSSY, "padding=26").delays[0][1][0].lost == 10


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("packets=0",), "packets: '0' is no whole number from 1 to 10000"),
        (("packets=1e3",), "packets: '1e3' is no whole number from 1 to 10000"),
        (("interval=0",), "interval: '0' is no number from 0.001 to 60"),
        (("interval=nan",), "interval: 'nan' is no number from 0.001 to 60"),
        (("port=65536",), "port: '65536' is no whole number from 1 to 65535"),
        (("timeout=-1",), "timeout: '-1' is no number from 0.1 to 60"),
        (("padding=9000",), "padding: '9000' is no whole number from 0 to 8958"),
        (("source=localhost",), "source: 'localhost' is no IPv4 or IPv6 address"),
        (("speed=1",), "'speed=1' is no setting; there are packets, interval, port,"),
        (("--reflect",), "'--reflect' is no setting"),
        (("source=192.0.2.77",), "can't send from 192.0.2.77 to 127.0.0.2: Cannot assign"),
        (("source=::1",), "'127.0.0.2' has no address to send to: "),
    ],
)
def test_a_check_that_can_not_work_is_told_in_one_line(words: tuple[str, ...], told: str) -> None:
    assert told in refusal("twping-lite", THERE, *words)


def test_a_host_without_an_address_is_told() -> None:
    told = refusal("twping-lite", "no-such-host.invalid")
    assert told.startswith("'no-such-host.invalid' has no address to send to: ")


def test_by_hand_settings_and_checks_stand_behind_the_address(tmp_path: Path) -> None:
    program = tmp_path / "twping-lite"
    program.write_bytes((shipped_folder() / "twping-lite").read_bytes())
    program.with_suffix(".toml").write_text('[checks]\nfew = ["packets=2", "timeout=0.1"]\n')
    program.chmod(0o755)
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environ.pop("AGGREGATOR_PROBE_CHECK", None)

    def by_hand(*words: str) -> subprocess.CompletedProcess[str]:
        command = (program, f"http://{THERE}/", *words)
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    for words in (("few",), ("packets=2", "timeout=0.1", "interval=0.01")):
        assert 'sent="2" loss="2"' in by_hand(*words).stdout
    told = "there is no check 'many' (there are few), nor is it NAME=VALUE\n"
    assert (by_hand("many").returncode, by_hand("many").stderr) == (1, told)


def test_the_reflector_ends_with_a_signal_and_says_what_it_did(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with reflecting(f"{THERE}:0") as (port, process):
            sample(tmp_path, port, *QUICK, "packets=3")
            process.send_signal(number)
            assert process.stdout is not None
            assert process.stdout.read() == "reflected 3, ignored 0\n"
            assert process.wait(10) == 0


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """With a free port in place of the one that is shown."""
    port = str(free_port())
    lines = [line for text in PAGE.fenced("sh") for line in text.splitlines() if line]
    reflect, *others = (shlex.split(line.replace("8620", port), comments=True) for line in lines)
    assert reflect[:2] == ["twping-lite", "--reflect"]
    place = reflect[2].replace("192.0.2.2", THERE)
    assert others
    with reflecting(place, *reflect[3:]):
        for _, address, *words in others:
            host = address.replace("myhost", THERE).split("/")[2].split(":")[0]
            kept = measured("twping-lite", host, *words, *QUICK, folder=tmp_path, pairs=2)
            assert kept.delays[0][1][0].lost == 0


def test_a_registration_publishes_the_message(tmp_path: Path) -> None:
    with reflecting(f"{THERE}:0") as (port, _):
        words = json.dumps([f"port={port}", "packets=3", *QUICK])
        config = f"[probes.checks.twping-lite]\nnear = {words}\n"
        with running_service(tmp_path, config=config) as service:
            group = f"{service.url}/wsrf/services/DefaultIndexService"
            asked = soap.execution_config("twping-lite/near", millis=600_000)
            entry = soap.add(group, f"http://{THERE}/member", asked)

            def data() -> list[object]:
                content = soap.get_property(entry.address, "sg:Content", header=entry.header)
                return list(content.body.iterfind(f".//{{{AGG}}}AggregatorData/{{*}}message"))

            (message,) = until(data, what="the message of the probe")
            assert message.get("type") == "MetadataStorageRequest"
            assert [one.get("loss") for one in message.iterfind(".//{*}datum")] == ["0", "0"]
            body = soap.add_body(f"http://{THERE}/", soap.execution_config("twping-lite/far"))
            name, text = soap.call(group, body).fault
            assert (name, "twping-lite/near" in text) == ("AddRefusedFault", True)


def test_it_starts_quickly() -> None:
    """No lxml, nothing of the service: what a start costs, in modules."""
    done = run("twping-lite", "no-such-host.invalid")
    assert done.returncode == 1
    script = "import sys; from aggregator.probes import one_way, throughput; print(*sys.modules)"
    named = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, check=True
    ).stdout.split()
    rooms = {name.split(".")[1] for name in named if name.startswith("aggregator.")}
    assert (rooms, {"lxml", "zeep", "asyncio", "ssl"} & set(named)) == ({"probes", "wire"}, set())
