"""The query evaluator under hostile expressions, crashes, signals and limits."""

from __future__ import annotations

import os
import signal
import socket
import stat
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from aggregator.errors import InvalidQuery, QueryFailed, StoreUnavailable
from aggregator.view.query_messages import LENGTH, frame
from tests.integration import evaluator_kit
from tests.integration.evaluator_kit import GROUP, Evaluated, evaluated, is_alive
from tests.waiting import until

pytestmark = pytest.mark.long

service = evaluator_kit.service
quiet = evaluator_kit.quiet
#: Grows with the square of the nodes: seconds for a hundred entries, minutes for a thousand.
HOSTILE = "count(//*[count(//*[count(//*) > 1]) > 1])"


def warm_up(service: Evaluated) -> None:
    """Wait until the group is loaded and nothing is evaluated."""
    service.text("1")
    until(lambda: service.children() == [])


def test_a_hostile_expression_ends_at_the_limit_and_disturbs_no_one(service: Evaluated) -> None:
    service.add(300)
    warm_up(service)
    with ThreadPoolExecutor(9) as pool:
        began = time.monotonic()
        hostile = pool.submit(service.ask, HOSTILE, caller="hostile")
        until(lambda: len(service.children()) == 1)
        times = list(pool.map(lambda n: _timed(service, n), range(200)))
        assert not hostile.done() or time.monotonic() - began > 3
        with pytest.raises(QueryFailed, match="not evaluated in 3 s"):
            hostile.result(20)
        assert 2.9 < time.monotonic() - began < 20
    assert statistics.median(times) < 0.5
    until(lambda: service.children() == [])


def _timed(service: Evaluated, number: int) -> float:
    began = time.monotonic()
    assert service.text(f"count(//sg:Entry) + {number}", caller="cheap") == str(300 + number)
    return time.monotonic() - began


def test_one_long_expression_a_caller(service: Evaluated) -> None:
    service.add(300)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(service.ask, HOSTILE) for _ in range(2)]
        errors = sorted(str(future.exception(20)) for future in both)
    assert "not evaluated in 3 s" in errors[1]
    assert "only 1 at a time" in errors[0]


def test_long_expressions_leave_a_place_for_quick_ones(service: Evaluated) -> None:
    service.add(300)
    with ThreadPoolExecutor(4) as pool:
        long = [pool.submit(service.ask, HOSTILE, caller=f"caller {n}") for n in range(4)]
        time.sleep(1.5)
        assert service.text("1 + 1", caller="quick") == "2"
        errors = [str(future.exception(20)) for future in long]
    assert sum("try again later" in error for error in errors) == 1
    assert sum("not evaluated in 3 s" in error for error in errors) == 3


def test_a_client_that_goes_away_takes_its_evaluation_along(service: Evaluated) -> None:
    service.add(300)
    warm_up(service)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(service.path))
        connection.sendall(frame(service.request(HOSTILE)))
        until(lambda: len(service.children()) == 1)
    until(lambda: service.children() == [], within=1.5)
    assert service.text("1") == "1"


def test_evaluations_end_with_the_evaluator_and_their_callers_ask_the_next(
    service: Evaluated,
) -> None:
    service.add(300)
    warm_up(service)
    with ThreadPoolExecutor(2) as pool:
        doomed = pool.submit(service.ask, HOSTILE)
        until(lambda: len(service.children()) == 1)
        [child] = service.children()
        assert service.process is not None
        service.process.kill()
        service.process.wait(10)
        until(lambda: not is_alive(child.pid))
        service.start()
        assert service.text("count(//sg:Entry)") == "300"
        with pytest.raises(QueryFailed, match="not evaluated in 3 s"):
            doomed.result(30)


def test_an_evaluator_that_is_not_there_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with evaluated(tmp_path) as service:
        service.text("1")
        monkeypatch.setattr("aggregator.view.query_client.PATIENCE", 0.2)
        assert service.stop() == 0
        assert not service.path.exists()
        with pytest.raises(StoreUnavailable, match="not running"):
            service.ask("1")


def test_settings_are_read_again_at_sighup(service: Evaluated) -> None:
    service.add(2)
    assert service.text("count(//agg:ResourcePropertyName)") == "2"
    shown = service.settings.groups[GROUP]
    hidden = replace(shown, publish_configuration=False)
    service.reload(replace(service.settings, groups={GROUP: hidden}))
    until(lambda: service.text("count(//agg:ResourcePropertyName)") == "0")
    assert service.text("count(//agg:AggregatorConfig)") == "2"


def test_sigterm_ends_it_with_all_beneath(service: Evaluated) -> None:
    service.add(300)
    warm_up(service)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(service.path))
        connection.sendall(frame(service.request(HOSTILE)))
        until(lambda: len(service.children()) == 1)
        [child] = service.children()
        assert service.stop() == 0
    assert not is_alive(child.pid)


def test_a_result_over_the_limit_is_refused(tmp_path: Path) -> None:
    with evaluated(tmp_path, max_result=20_000) as service:
        service.add(100)
        assert service.text("count(//sg:Entry)") == "100"
        with pytest.raises(QueryFailed, match="more than 20000 bytes"):
            service.ask("//sg:Entry")
        assert service.xml("//sg:Entry[position() < 3]").count(b"<sg:Entry") == 2


def test_an_expression_that_eats_memory_hurts_itself_alone(service: Evaluated) -> None:
    service.add(200, data=[b"<x>" + b"y" * 60_000 + b"</x>"])
    assert service.text("count(//x)") == "200"
    doubled = "string(/)"
    for _ in range(8):
        doubled = f"concat({doubled}, {doubled})"
    with pytest.raises(QueryFailed):
        service.ask(f"string-length({doubled})")
    assert service.text("count(//x)") == "200"


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 8000 + "1" + ")" * 8000,
        "//*" + "[//*" * 2000 + "]" * 2000,
        "-" * 16000 + "1",
        "|".join(["//*"] * 4000),
    ],
    ids=["parentheses", "predicates", "minuses", "unions"],
)
def test_deep_expressions_end_in_an_answer_or_an_error(service: Evaluated, expression: str) -> None:
    service.add(2)
    with suppress(InvalidQuery, QueryFailed):
        service.ask(expression)
    assert service.text("1 + 1") == "2"


def test_strangers_are_shown_the_door(service: Evaluated) -> None:
    service.text("1")
    for noise in (
        b"GET / HTTP/1.1\r\n\r\n",
        LENGTH.pack(5) + b"{}   extra",
        LENGTH.pack(2) + b"[]",
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(service.path))
            connection.sendall(noise)
            connection.settimeout(5)
            assert connection.recv(10) == b""
    half = socket.socket(socket.AF_UNIX)
    half.connect(str(service.path))
    half.sendall(LENGTH.pack(100) + b"{")
    assert service.text("2 + 2") == "4"
    half.close()


def test_only_the_owner_may_connect(quiet: Evaluated) -> None:
    quiet.text("1")
    assert stat.S_IMODE(os.stat(quiet.path).st_mode) == 0o600


def test_a_path_that_fits_no_address(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / ("longer" * 12)
    folder.mkdir(parents=True)
    with evaluated(folder) as service:
        assert service.text("1 + 1") == "2"
        assert service.stop() == 0
        assert not service.path.exists()


def test_one_that_starts_takes_the_place_of_one_that_ends(service: Evaluated) -> None:
    service.text("1")
    old = service.process
    assert old is not None
    new = service.start()
    until(lambda: psutil.Process(new.pid).net_connections("unix") != [])
    old.send_signal(signal.SIGTERM)
    assert old.wait(10) == 0
    assert service.path.exists()
    assert service.text("1 + 1") == "2"


def test_memory_stays_flat_while_entries_come_and_go(service: Evaluated) -> None:
    service.add(100)
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    sizes = []
    for _ in range(12):
        for _ in range(5):
            key = service.add(data=[b"<big>" + os.urandom(20_000).hex().encode() + b"</big>"])[0]
            service.text("count(//sg:Entry)")
            service.text("count(//big)", family="oasis")
            service.remove(key)
        service.text("1")
        sizes.append(process.memory_info().rss)
    assert sizes[-1] < sizes[3] + 4 * 2**20
    assert process.num_fds() < 40
    until(lambda: service.children() == [])


def test_many_at_once_are_all_answered(service: Evaluated) -> None:
    service.add(50)
    go = threading.Barrier(40)

    def ask(number: int) -> str:
        go.wait(20)
        return service.text(f"count(//sg:Entry) * {number}", caller=f"caller {number % 5}")

    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(ask, range(40)))
    assert found == [str(50 * number) for number in range(40)]


def test_group_name_is_the_settings(quiet: Evaluated) -> None:
    assert quiet.text("string((//agg:GroupKey)[1])") == GROUP
