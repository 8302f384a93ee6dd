"""Newcomers wait before the door while those who are in wait for threads."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from aggregator.run.connection import Connection
from aggregator.run.doors import Doors
from aggregator.run.polling import Polling


class Behind:
    """Whether requests wait, as the test says; and who was let in."""

    def __init__(self) -> None:
        self.is_behind = self.is_ahead = False
        self.let_in: list[socket.socket] = []


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@contextlib.contextmanager
def doors(listener: socket.socket, behind: Behind) -> Iterator[tuple[Doors, Polling]]:
    def unexpected(connection: Connection) -> None:
        raise AssertionError(connection)

    polling = Polling(unexpected)
    made = Doors(
        [listener],
        polling,
        is_behind=lambda: behind.is_behind,
        is_ahead=lambda: behind.is_ahead,
        has_room=lambda: True,
        make_room=lambda: True,
        begin=lambda sock, _address, _server: behind.let_in.append(sock),
    )
    made.open()
    try:
        yield made, polling
    finally:
        made.close()
        for sock in behind.let_in:
            sock.close()


def let_in_after(
    seconds: float, made: Doors, polling: Polling, behind: Behind, *, patience: float
) -> int:
    """How many are in after a wait before held doors, which tell that it is no longer."""
    polling.wait(made.patience(5))
    assert made.are_held
    assert made.patience(5) <= patience
    time.sleep(seconds)
    made.let_some_in()
    polling.wait(5)
    return len(behind.let_in)


def test_who_comes_while_requests_wait_is_let_in_after_them(listener: socket.socket) -> None:
    behind = Behind()
    with (
        doors(listener, behind) as (made, polling),
        socket.create_connection(listener.getsockname()),
    ):
        polling.wait(5)
        assert len(behind.let_in) == 1
        behind.is_behind = True
        with socket.create_connection(listener.getsockname()):
            polling.wait(5)
            assert made.are_held
            assert len(behind.let_in) == 1
            behind.is_behind = False
            made.look()
            polling.wait(5)
            assert not made.are_held
            assert len(behind.let_in) == 2


def test_doors_that_were_closed_stay_closed(listener: socket.socket) -> None:
    behind = Behind()
    with doors(listener, behind) as (made, polling):
        made.close()
        assert not made.are_held
        with socket.create_connection(listener.getsockname()):
            made.look()
            polling.wait(0.1)
            assert behind.let_in == []


def test_those_who_are_in_keep_nobody_out(listener: socket.socket) -> None:
    """Requests that wait all the time delay newcomers, but a few come in again and again."""
    behind = Behind()
    behind.is_behind = True
    with doors(listener, behind) as (made, polling), contextlib.ExitStack() as clients:
        for _ in range(10):
            clients.enter_context(socket.create_connection(listener.getsockname()))
        came = [let_in_after(0.06, made, polling, behind, patience=0.1) for _ in range(3)]
        assert came == [4, 8, 10]


def test_who_has_more_than_a_sibling_leaves_it_a_moment_and_takes_one_then(
    listener: socket.socket,
) -> None:
    behind = Behind()
    behind.is_ahead = True
    with doors(listener, behind) as (made, polling), contextlib.ExitStack() as clients:
        for _ in range(3):
            clients.enter_context(socket.create_connection(listener.getsockname()))
        came = [let_in_after(0.002, made, polling, behind, patience=0.001) for _ in range(3)]
        assert came == [1, 2, 3]
        behind.is_ahead = False
        made.look()
        assert not made.are_held


def test_where_there_is_no_room_the_doors_stay_closed_for_a_while(listener: socket.socket) -> None:
    turns = 0

    def no_room() -> bool:
        return False

    def unexpected(*_: object) -> None:
        raise AssertionError

    polling = Polling(unexpected)
    made = Doors(
        [listener],
        polling,
        is_behind=lambda: False,
        is_ahead=lambda: False,
        has_room=no_room,
        make_room=no_room,
        begin=unexpected,
    )
    made.open()
    with socket.create_connection(listener.getsockname()):
        ends = time.monotonic() + 0.3
        while time.monotonic() < ends:
            polling.wait(made.patience(1))
            made.let_some_in()
            turns += 1
    made.close()
    # One to find out, one to open again, for each twentieth of a second.
    assert 4 <= turns <= 20
