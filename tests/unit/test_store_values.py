"""What the store keeps in one column, whose time it goes by, and whose tables a sink may name."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aggregator.errors import ConfigError
from aggregator.store.chunks import SIZE, chunks
from aggregator.store.clock import StoreClock, wall_ahead
from aggregator.store.content import digest, pack, unpack
from aggregator.store.shards import SLOTS, slot_of
from aggregator.store.sink_tables import check_tables

HOUR = 3600 * 1_000_000


@given(some.lists(some.binary(max_size=50)))
def test_content_is_taken_apart_as_it_was_put_together(children: list[bytes]) -> None:
    assert unpack(pack(children)) == tuple(children)


@given(some.lists(some.binary(max_size=3)), some.lists(some.binary(max_size=3)))
def test_only_the_same_content_has_the_same_digest(one: list[bytes], other: list[bytes]) -> None:
    assert (digest(pack(one)) == digest(pack(other))) == (one == other)


@pytest.mark.parametrize("length", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE])
def test_chunks_are_the_whole_in_order(length: int) -> None:
    values = list(range(length))
    pieces = list(chunks(values))
    assert [value for piece in pieces for value in piece] == values
    assert all(0 < len(piece) <= SIZE for piece in pieces)


def test_slots_are_spread_evenly() -> None:
    slots = [slot_of(f"key {number}") for number in range(20 * SLOTS)]
    assert set(slots) <= set(range(SLOTS))
    shards = [sum(slot % 64 == shard for slot in slots) for shard in range(64)]
    assert min(shards) > 0.8 * max(shards)


def test_the_clock_of_an_embedded_store_is_that_of_its_host() -> None:
    clock = StoreClock(follows_server=False)
    assert not clock.is_due()
    assert abs(clock.now() - time.time_ns() // 1000) < HOUR / 60


def test_the_clock_follows_the_server_from_the_quickest_answer() -> None:
    ahead = iter((5 * HOUR, HOUR, 7 * HOUR))
    delays = iter((0.02, 0.0, 0.02))

    def ask() -> tuple[int, int]:
        ends = time.monotonic() + next(delays)
        while time.monotonic() < ends:
            pass
        return time.time_ns() // 1000 + next(ahead), 0

    clock = StoreClock(follows_server=True)
    assert clock.is_due()
    clock.correct(ask)
    assert not clock.is_due()
    assert abs(clock.now() - time.time_ns() // 1000 - HOUR) < 1_000_000


def test_a_step_of_the_hosts_time_does_not_move_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = StoreClock(follows_server=True)
    clock.correct(lambda: (time.time_ns() // 1000, 0))
    before = clock.now()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= clock.now() - before < HOUR / 60


def test_the_clock_is_corrected_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoreClock(follows_server=True)
    clock.correct(lambda: (5, 0))
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert clock.is_due()


def test_a_server_that_was_set_is_followed_only_where_nobody_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = StoreClock(follows_server=True)
    clock.correct(lambda: (time.time_ns() // 1000, 0))
    before = clock.now()
    clock.correct(lambda: (time.time_ns() // 1000 + HOUR, 0))
    jump, known = clock.jump
    assert abs(jump - HOUR) < 1_000_000
    assert known == 0
    assert clock.now() - before < HOUR / 60
    # A collector took note of it: the time is what it was, and shown an hour later.
    clock.correct(lambda: (time.time_ns() // 1000 + HOUR, jump))
    assert clock.jump == (0, jump)
    assert clock.ahead() == jump
    assert clock.now() - before < HOUR / 60
    # The next one, that nobody takes note of, is followed after a while.
    clock.correct(lambda: (time.time_ns() // 1000 + 3 * HOUR, jump))
    later = time.monotonic() + 11
    monkeypatch.setattr(time, "monotonic", lambda: later)
    clock.correct(lambda: (time.time_ns() // 1000 + 3 * HOUR, jump))
    assert clock.jump == (0, jump)
    assert abs(clock.now() - before - 2 * HOUR) < HOUR / 60


def test_an_anchored_clock_goes_on_when_the_host_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoreClock(follows_server=False)
    clock.anchor(wall_ahead())
    before = clock.now()
    assert clock.ahead() == 0
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - HOUR * 1000)
    assert clock.ahead() == -HOUR
    assert 0 <= clock.now() - before < HOUR / 60


def test_a_failed_question_leaves_the_clock_as_it_is() -> None:
    clock = StoreClock(follows_server=True)

    def ask() -> tuple[int, int]:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        clock.correct(ask)
    assert clock.is_due()
    assert abs(clock.now() - time.time_ns() // 1000) < HOUR / 60


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM sink_archive_x x JOIN sink_archive_y ON x.a = y.a WHERE b = 'FROM entries'",
        "insert into sink_archive (a) values (:a) on conflict do update set a = 1",
        "UPDATE sink_archive_x SET entries = 1 -- FROM groups",
        "DELETE FROM sink_archive_x WHERE a IN (SELECT a FROM sink_archive_y)",
        "CREATE TABLE IF NOT EXISTS sink_archive_x (a INTEGER)",
        "CREATE UNIQUE INDEX IF NOT EXISTS any_name ON sink_archive_x (a)",
        "WITH newest AS (SELECT a FROM sink_archive_x) SELECT * FROM newest",
        'SELECT * FROM "sink_archive_x"',
        "SELECT * FROM (SELECT 1)",
    ],
)
def test_a_sink_may_name_its_own_tables(sql: str) -> None:
    check_tables(sql, "archive")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM entries",
        "SELECT * FROM sink_archive_x JOIN entries ON 1 = 1",
        "INSERT INTO sink_archiver_x VALUES (1)",
        "update groups set sequence = 0",
        "DELETE FROM\n  changes",
        "DROP TABLE IF EXISTS entries",
        "CREATE TABLE archive (a INTEGER)",
        "CREATE INDEX sink_archive_i ON entries (owner)",
        'SELECT * FROM "entries"',
        "SELECT * FROM main.entries",
        "ALTER TABLE entries ADD COLUMN x INTEGER",
    ],
)
def test_a_sink_may_not_name_those_of_others(sql: str) -> None:
    with pytest.raises(ConfigError, match=r"the sink archive names the table .+"):
        check_tables(sql, "archive")


def test_a_sinks_name_becomes_that_of_a_table() -> None:
    check_tables("SELECT * FROM sink_my_sink_x", "My-Sink")
