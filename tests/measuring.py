"""Probes that measure, for tests: run as the service runs them, and stored as an archive would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aggregator.collect.probes import ProbeFolder, shipped_folder
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput, Within
from tests.measured import Measured, archive_of, endpoint, reply, results
from tests.service import free_port
from tests.stores import opened, prepare

REFLECTOR = Path(__file__).with_name("odd_reflector.py")


@dataclass(slots=True)
class Kept:
    """What an archive has of some tests."""

    throughputs: list[tuple[MeasuredTest, list[Throughput]]] = field(default_factory=list)
    delays: list[tuple[MeasuredTest, list[Delay]]] = field(default_factory=list)

    def read(self, own: OwnMeasurements) -> None:
        """Read all that is in our own tables."""
        for test in own.tests():
            if test.kind == "bwctl":
                self.throughputs.append((test, [*own.throughput(test, Within(), timeout=9)]))
            else:
                rows = own.delays(test, Within(), buckets=True, timeout=9)
                self.delays.append((test, [*rows]))

    def delay(self, source: str, destination: str) -> Delay:
        """The one sample of a direction."""
        ends = (source, destination)
        [[row]] = [rows for test, rows in self.delays if (test.source, test.destination) == ends]
        return row


def run(
    probe: str, host: str, *words: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a probe on a host as the service does, with a check of these words if there are any."""
    folder = ProbeFolder(shipped_folder(), checks={probe: {"it": words}} if words else {})
    found = folder.resolve(f"{probe}/it" if words else probe)
    shown = f"[{host}]" if ":" in host else host
    return subprocess.run(
        found.command(f"http://{shown}:1/x"),
        env=folder.environment(found, extra={"PATH": path} if path else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refusal(probe: str, host: str, *words: str, path: str | None = None) -> str:
    """The one line with which a probe says that it can't do its work."""
    done = run(probe, host, *words, path=path)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


def stored(document: str, folder: Path, *, pairs: int) -> Kept:
    """What an archive that is sent the document then has in its tables: all its pairs."""
    kept = Kept()
    place = Path(tempfile.mkdtemp(dir=folder))
    archive = archive_of(Measured(), place)
    with closing(opened(f"sqlite:///{place}/measured.db", place)) as store:
        prepare(store)
        own = OwnMeasurements(store)
        archive.keep = own.keep
        answer = reply(endpoint(archive).answer(document.encode(), may_store=True))
        assert results(answer) == [("success.ma.added", "1 measurements were stored.")] * pairs
        kept.read(own)
    return kept


def measured(probe: str, host: str, *words: str, folder: Path, pairs: int) -> Kept:
    """Run a probe, and store what it prints."""
    done = run(probe, host, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return stored(done.stdout, folder, pairs=pairs)


@contextmanager
def reflecting(place: str, *words: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port of the probe's own reflector, and its process."""
    command = (sys.executable, shipped_folder() / "twping-lite", "--reflect", place, *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2]), process
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def erring(way: str, host: str) -> Iterator[int]:
    """The port of a reflector that errs in a way."""
    command = (sys.executable, REFLECTOR, way, host)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        yield int(process.stdout.readline())
        process.stdin.close()
        process.wait(10)


@contextmanager
def serving_iperf3(host: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port of a server of iperf3, and the process."""
    if shutil.which("iperf3") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("iperf3 is missing; install it")
        pytest.skip("iperf3 is not installed")
    port = free_port()
    command = ("iperf3", "-s", "-B", host, "-p", str(port), "--forceflush")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            while b"Server listening" not in process.stdout.readline():
                assert process.poll() is None
            yield port, process
        finally:
            process.kill()
