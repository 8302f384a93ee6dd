"""RRD files as an origin of measurements: real ones, made here with rrdtool."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

import pytest

from aggregator.errors import MeasurementsTooSlow, MeasurementsUnavailable
from aggregator.measurement.archive import MeasurementArchive
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.handling import RequestHandler
from aggregator.measurement.message import read_message
from aggregator.measurement.origins import NoData
from aggregator.measurement.output import Output
from aggregator.measurement.rrd_origin import RrdOrigin
from aggregator.wire.parse import DEFAULT_LIMITS
from tests.integration.measurement_kit import DECLARED, content
from tests.integration.origin_kit import IPERF, asking, data, numbers, rrdtool, stored
from tests.waiting import until

#: A multiple of all steps; the first number is a minute later.
BEGIN = 1_000_000_200
UNSUPPORTED = 'consolidationFunction "{}" is not supported; supported are AVERAGE, MIN, MAX, LAST.'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of twenty minutes: `in` counts from 1, `out` is half of it unknown."""
    found = tmp_path / "rrd"
    found.mkdir()
    sources = [f"DS:{name}:GAUGE:120:U:U" for name in ("in", "out")]
    kept = ["RRA:AVERAGE:0.5:1:60", "RRA:AVERAGE:0.5:5:60", "RRA:MIN:0.5:5:60", "RRA:MAX:0.5:5:60"]
    path = found / "eth0.rrd"
    rrdtool("create", path, "--start", BEGIN, "--step", 60, *sources, *kept)
    lines = [f"{BEGIN + 60 * n}:{n}:{n if n % 2 else 'U'}" for n in range(1, 21)]
    rrdtool("update", path, *lines)
    return found


@pytest.fixture
def origin(folder: Path) -> RrdOrigin:
    """What reads from that folder."""
    return RrdOrigin(folder)


PAIR = stored(file="eth0.rrd", dataSource="in", valueUnits="Bps")


def minutes(*numbers: int) -> dict[float, float]:
    """The numbers of these minutes."""
    return {float(BEGIN + 60 * one): float(one) for one in numbers}


def test_all_is_told_where_no_time_is_asked_for(origin: RrdOrigin) -> None:
    assert numbers(origin, PAIR, asking()) == minutes(*range(1, 21))
    [(name, first), *_] = data(origin, PAIR, asking())
    assert name == "nmwg:datum"
    assert first == {
        "timeType": "unix",
        "timeValue": f"{BEGIN + 60}.0",
        "value": "1",
        "valueUnits": "Bps",
    }


def test_the_bounds_are_left_out_unless_they_are_included(origin: RrdOrigin) -> None:
    asked = asking(BEGIN + 60, BEGIN + 240)
    assert numbers(origin, PAIR, asked) == minutes(2, 3)
    start, end = asked.times.start, asked.times.end
    assert start is not None
    assert end is not None
    times = asked.times._replace(
        start=start._replace(is_included=True), end=end._replace(is_included=True)
    )
    assert numbers(origin, PAIR, asked._replace(times=times)) == minutes(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, BEGIN), (BEGIN + 1300, None), (2**33, None), (None, 1), (BEGIN + 60, BEGIN + 60)],
)
def test_what_is_outside_is_nothing(origin: RrdOrigin, start: int | None, end: int | None) -> None:
    assert numbers(origin, PAIR, asking(start, end)) == {}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("", [3.0, 8.0, 13.0, 18.0]),
        ("AVERAGE", [3.0, 8.0, 13.0, 18.0]),
        ("average", [3.0, 8.0, 13.0, 18.0]),
        ("MIN", [1.0, 6.0, 11.0, 16.0]),
        ("MAX", [5.0, 10.0, 15.0, 20.0]),
    ],
)
def test_resolution_and_function_take_effect(
    origin: RrdOrigin, function: str, expected: list[float]
) -> None:
    found = numbers(origin, PAIR, asking(resolution=300, function=function))
    assert found == {BEGIN + 300.0 * n: value for n, value in enumerate(expected, 1)}


@pytest.mark.parametrize(
    ("function", "expected"),
    [("AVERAGE", 10.5), ("MIN", 1.0), ("MAX", 20.0), ("LAST", 20.0)],
)
def test_a_resolution_that_the_file_does_not_have_is_made(
    origin: RrdOrigin, function: str, expected: float
) -> None:
    found = numbers(origin, PAIR, asking(resolution=86400, function=function))
    assert list(found.values()) == [expected]
    assert all(one % 86400 == 0 for one in found)


def test_a_finer_one_than_the_file_has_is_that_of_the_file(origin: RrdOrigin) -> None:
    assert numbers(origin, PAIR, asking(resolution=1)) == minutes(*range(1, 21))


def test_the_stored_key_says_what_the_request_does_not(origin: RrdOrigin) -> None:
    ours = stored(file="eth0.rrd", dataSource="in", resolution="300", consolidationFunction="MAX")
    assert list(numbers(origin, ours, asking()).values()) == [5.0, 10.0, 15.0, 20.0]
    asked = asking(resolution=86400, function="MIN")
    assert list(numbers(origin, ours, asked).values()) == [1.0]


@pytest.mark.parametrize("function", ["MEDIAN", "AVERAGE -r 1", "<x/>", "--daemon=x", "y" * 1000])
def test_another_function_is_told(origin: RrdOrigin, function: str) -> None:
    with pytest.raises(NoData) as caught:
        data(origin, PAIR, asking(function=function))
    assert str(caught.value) == UNSUPPORTED.format(function[:40])


def test_a_function_that_nothing_is_kept_for_is_told(folder: Path, origin: RrdOrigin) -> None:
    source = "DS:in:GAUGE:120:U:U"
    rrdtool("create", folder / "max.rrd", "--step", 60, source, "RRA:MAX:0.5:5:60")
    with pytest.raises(NoData, match='Nothing is kept for the consolidationFunction "MIN"'):
        data(origin, stored(file="max.rrd"), asking(function="MIN"))


def test_what_is_old_is_told_as_coarsely_as_it_is_kept(folder: Path, origin: RrdOrigin) -> None:
    lines = [f"{BEGIN + 60 * n}:{n}:U" for n in range(21, 91)]
    rrdtool("update", folder / "eth0.rrd", *lines)
    assert list(numbers(origin, PAIR, asking()))[:2] == [BEGIN + 300.0, BEGIN + 600.0]
    recent = numbers(origin, PAIR, asking(BEGIN + 60 * 80))
    assert recent == minutes(*range(81, 91))


def test_what_is_unknown_is_left_out(origin: RrdOrigin) -> None:
    ours = stored(file="eth0.rrd", dataSource="out")
    found = numbers(origin, ours, asking())
    assert found == minutes(*range(1, 21, 2))
    assert list(numbers(origin, ours, asking(resolution=300)).values()) != []


def test_throughput_is_told_as_clients_know_it(origin: RrdOrigin) -> None:
    ours = stored(IPERF, file="eth0.rrd", dataSource="in")
    [(name, first), *_] = data(origin, ours, asking())
    assert name == "iperf:datum"
    assert first == {"timeType": "unix", "timeValue": f"{BEGIN + 60}.0", "throughput": "1"}


def test_the_only_source_needs_no_name(folder: Path, origin: RrdOrigin) -> None:
    rrdtool(
        "create", folder / "one.rrd", "-b", BEGIN, "-s", 60, "DS:x:GAUGE:120:U:U", "RRA:LAST:0:1:9"
    )
    rrdtool("update", folder / "one.rrd", f"{BEGIN + 60}:7")
    assert numbers(origin, stored(file="one.rrd"), asking()) == {BEGIN + 60.0: 7.0}
    with pytest.raises(MeasurementsUnavailable, match="no data source ''; it has in, out"):
        data(origin, stored(file="eth0.rrd"), asking())
    with pytest.raises(MeasurementsUnavailable, match="no data source 'y'; it has x"):
        data(origin, stored(file="one.rrd", dataSource="y"), asking())


def test_a_folder_below_and_an_absolute_path_are_fine(folder: Path, origin: RrdOrigin) -> None:
    (folder / "a" / "-b c:d").mkdir(parents=True)
    shutil.copy(folder / "eth0.rrd", folder / "a" / "-b c:d" / "--help")
    shutil.copy(folder / "eth0.rrd", folder / "-r")
    (folder / "link").symlink_to(folder / "eth0.rrd")
    for name in ("a/-b c:d/--help", "-r", "link", str(folder / "eth0.rrd"), "a/../eth0.rrd"):
        ours = stored(file=name, dataSource="in")
        assert numbers(origin, ours, asking()) == minutes(*range(1, 21)), name


def test_nothing_outside_is_read(folder: Path, origin: RrdOrigin) -> None:
    outside = folder.parent / "outside.rrd"
    shutil.copy(folder / "eth0.rrd", outside)
    (folder / "out").symlink_to(outside)
    (folder / "up").symlink_to("..")
    (folder.parent / "rrd-too").mkdir()
    shutil.copy(outside, folder.parent / "rrd-too" / "x.rrd")
    for name in (
        "../outside.rrd",
        str(outside),
        "out",
        "up/outside.rrd",
        "../rrd-too/x.rrd",
        "/dev/zero",
    ):
        with pytest.raises(MeasurementsUnavailable, match="lies outside of"):
            data(origin, stored(file=name, dataSource="in"), asking())


def test_what_is_no_rrd_file_is_told(folder: Path, origin: RrdOrigin) -> None:
    (folder / "text").write_text("x" * 10_000)
    (folder / "empty").touch()
    (folder / "cut").write_bytes((folder / "eth0.rrd").read_bytes()[:700])
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    for name in ("text", "empty", "cut", "pipe", "loop", "", ".", "none.rrd", "x" * 5000):
        with pytest.raises(MeasurementsUnavailable):
            data(origin, stored(file=name, dataSource="in"), asking())


def program(folder: Path, text: str) -> str:
    """A program that stands for an rrdtool with a fault."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_that_hangs_is_ended_with_all_beneath(folder: Path) -> None:
    pids = folder.parent / "pids"
    origin = RrdOrigin(folder, program=program(folder.parent, f"sleep 60 & echo $! > {pids}; wait"))
    began = time.monotonic()
    with pytest.raises(MeasurementsTooSlow):
        data(origin, PAIR, asking(timeout=1))
    assert time.monotonic() - began < 10
    until(lambda: not is_running(int(pids.read_text())), what="what it started is gone too")


def is_running(pid: int) -> bool:
    """Whether a process is there, and more than its entry in the table."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_is_too_much_is_told(folder: Path) -> None:
    origin = RrdOrigin(folder, program=program(folder.parent, "exec yes"))
    with pytest.raises(NoData, match="ask for a shorter time"):
        data(origin, PAIR, asking())


@pytest.mark.parametrize("text", ["exit 3", "echo nonsense", "echo x >&2; exit 1"])
def test_a_program_that_does_otherwise_is_unavailable(folder: Path, text: str) -> None:
    origin = RrdOrigin(folder, program=program(folder.parent, text))
    with pytest.raises(MeasurementsUnavailable):
        data(origin, PAIR, asking())


def test_the_program_gets_nothing_of_our_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RRDCACHED_ADDRESS", "unix:/no/such/socket")
    seen = folder.parent / "seen"
    assert numbers(RrdOrigin(folder), PAIR, asking())
    with pytest.raises(MeasurementsUnavailable):
        data(RrdOrigin(folder, program=program(folder.parent, f"env > {seen}")), PAIR, asking())
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "LC_ALL", "TZ"}


def test_a_program_that_is_missing_is_told_once(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileStore(tmp_path / "store.xml")
    store.replace(content())
    origin = RrdOrigin(folder, program="no-such-rrdtool")
    (folder / "a.rrd").touch()
    (folder / "b.rrd").touch()
    archive, handler = MeasurementArchive(store, {"rrd": origin}), RequestHandler()
    archive.init(handler)
    subject = '<netutil:subject id="s"/>'
    text = (
        f'<nmwg:message {DECLARED} type="SetupDataRequest"><nmwg:metadata id="m">{subject}'
        '</nmwg:metadata><nmwg:data id="d" metadataIdRef="m"/></nmwg:message>'
    )
    output = Output()
    handler.handle(read_message(text.encode(), limits=DEFAULT_LIMITS), output)
    answer = b"".join(output.pieces).decode()
    assert answer.count("RRD files can't be read here: rrdtool is not installed.") == 2
    told = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert [one.getMessage() for one in told] == [
        "no-such-rrdtool can't be started: [Errno 2] No such file or directory:"
        " 'no-such-rrdtool'; is it installed?"
    ]
