"""What the node agent does with reports that can't be kept, or that nobody ever takes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aggregator.agent import agent as sending
from aggregator.agent import collecting
from aggregator.agent.agent import Agent
from aggregator.agent.collecting import Collecting
from aggregator.agent.spool import KeptInFile, Spool
from aggregator.cli import watch
from aggregator.client.event_stream import StreamEvent
from aggregator.client.reports import Answer
from aggregator.errors import RemoteError
from aggregator.reports import Collector


class Counting(Collector):
    reporttype = "Count"
    made = 0

    def getReport(self, now: float) -> Any:
        self.made += 1
        self.saveData(self.made)
        return "", str(self.made)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = Spool(tmp_path / "spool")
    yield found
    found.close()


def work(spool: Spool, collector: Collector, kept: KeptInFile) -> Collecting:
    collector.kept = kept
    return Collecting(
        "Counting", collector, kept, spool=spool, interval=1.0, on_report=lambda: None
    )


def test_a_report_that_a_full_disk_refused_is_put_before_the_next_is_asked_for(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptInFile(tmp_path / "Counting.json")
    collector = Counting()
    one = work(spool, collector, kept)

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(spool, "put", full)
        one._guarded(one._collect, 0.0)
        one._guarded(one._collect, 0.0)
        # Nor is it known as made, by another call.
        one._guarded(collector.connectStateChanged, False)
    assert collector.made == 1
    assert not (tmp_path / "Counting.json").exists()
    one._guarded(one._collect, 0.0)
    assert collector.made == 1
    assert (tmp_path / "Counting.json").read_text() == "1"
    one._guarded(one._collect, 0.0)
    datas = []
    while (found := spool.oldest()) is not None:
        datas.append(found[1])
        spool.done(found[0])
    assert datas == [b"1", b"2"]


def test_a_report_that_is_larger_than_any_may_be_is_not_put(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collecting, "LARGEST", 0)
    one = work(spool, Counting(), KeptInFile(tmp_path / "Counting.json"))
    one._guarded(one._collect, 0.0)
    assert len(spool) == 0
    assert "it returned 1 bytes; 0 may be" in caplog.text


@dataclass(slots=True)
class Proxy:
    """A proxy between us and the service, which refuses by itself."""

    status: int
    told: list[bool] = field(default_factory=list)

    def report(self, *args: str, **given: Any) -> Answer:
        return Answer(self.status, "text/html", b"<html>no</html>")


@pytest.mark.parametrize(("status", "waiting"), [(413, 0), (502, 1)])
def test_what_is_too_large_for_a_proxy_is_refused_for_good(
    spool: Spool, status: int, waiting: int
) -> None:
    spool.put("A", "text/plain", b"x")
    proxy: Any = Proxy(status)
    agent = Agent(proxy, spool, node="n", tell=lambda _: None)
    assert agent._send() == (None if status == 413 else 0.0)
    assert len(spool) == waiting


def test_a_spool_that_can_not_be_read_now_is_tried_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool.put("A", "text/plain", b"x")

    def failing() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(spool, "oldest", failing)
    proxy: Any = Proxy(200)
    agent = sending.Agent(proxy, spool, node="n", tell=lambda _: None)
    assert agent._send() == 0.0
    assert "the spool can't be read or written: [Errno 24]" in caplog.text
    assert len(spool) == 1


def test_a_watcher_to_whom_nothing_came_comes_back_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    class Quiet:
        def watch(self, types: object, *, after: str, on_id: Any) -> Iterator[StreamEvent]:
            asked.append(after)
            if len(asked) == 2:
                on_id("9")
                yield StreamEvent("9", "Count", "{}")
            on_id("7")

    monkeypatch.setattr(watch, "_FIRST", 0.0)
    client: Any = Quiet()
    events = watch._followed(client, (), "")
    assert next(events).id == "9"
    assert asked == ["", "7"]

    class Broken(Quiet):
        def watch(self, types: object, *, after: str, on_id: Any) -> Iterator[StreamEvent]:
            asked.append(after)
            if len(asked) > 3:
                yield StreamEvent("8", "Count", "{}")
            on_id("7")
            raise RemoteError("it broke off")

    client = Broken()
    with pytest.raises(RemoteError):
        next(watch._followed(client, (), ""))
