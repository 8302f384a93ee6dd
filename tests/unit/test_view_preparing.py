"""Requests wait for a round, and what they get when the store is away."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator

import pytest

from aggregator.errors import StoreUnavailable
from aggregator.view.asking import Asking
from aggregator.view.group_view import GroupView
from aggregator.view.preparing import Preparing
from aggregator.view.query_messages import QueryRequest, frame

from .view_fakes import FACTS

Ask = Callable[..., Asking]


class Documents:
    """A group whose rounds take two steps; counts them, and may lose the store."""

    def __init__(self) -> None:
        self.view = GroupView(FACTS)
        self.rounds: list[set[str]] = []
        self.patched = 0
        self.away = False

    def bring_up(self, families: Iterable[str]) -> Iterator[None]:
        self.rounds.append(set(families))
        yield
        if self.away:
            raise StoreUnavailable("away")

    def patch(self, families: Iterable[str]) -> Iterator[None]:
        self.patched += 1
        yield


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def preparing(documents: Documents) -> Preparing:
    return Preparing(documents)  # type: ignore[arg-type]


@pytest.fixture
def ask() -> Iterator[Ask]:
    opened: list[socket.socket] = []

    def ask(family: str = "gt4", sequence: int = 0) -> Asking:
        ours, theirs = socket.socketpair()
        opened.extend((ours, theirs))
        request = QueryRequest(FACTS.name, None, family, "/*", {}, sequence, "one")
        theirs.sendall(frame(request))
        asking = Asking(ours)
        assert asking.read()
        return asking

    yield ask
    for connection in opened:
        connection.close()


def test_a_round_serves_who_asked_before_it_began(
    preparing: Preparing, documents: Documents, ask: Ask
) -> None:
    documents.view.sequence = 5
    first, second = ask(sequence=5), ask("oasis", sequence=4)
    preparing.ask(first)
    preparing.ask(second)
    assert preparing.step() == []
    assert preparing.is_under_way
    late = ask()
    preparing.ask(late)
    assert preparing.step() == [(first, None), (second, None)]
    assert documents.rounds == [{"gt4", "oasis"}]
    assert preparing.has_work
    preparing.step()
    assert preparing.step() == [(late, None)]
    assert not preparing.has_work


def test_who_leaves_is_not_served(preparing: Preparing, documents: Documents, ask: Ask) -> None:
    documents.view.sequence = 5
    first, second = ask(), ask()
    preparing.ask(first)
    preparing.step()
    preparing.ask(second)
    preparing.drop(first)
    preparing.drop(second)
    assert preparing.all() == []
    assert preparing.step() == []
    assert not preparing.has_work


def test_without_the_store_it_serves_what_is_known(
    preparing: Preparing, documents: Documents, ask: Ask
) -> None:
    documents.view.sequence = 5
    documents.away = True
    known, unknown = ask(sequence=5), ask(sequence=6)
    preparing.ask(known)
    preparing.ask(unknown)
    served: list[tuple[Asking, StoreUnavailable | None]] = []
    while preparing.has_work:
        served += preparing.step()
    assert documents.patched == 1
    assert served[0] == (known, None)
    assert served[1][0] is unknown
    assert str(served[1][1]) == "away"


def test_a_view_that_was_never_loaded_serves_no_one(
    preparing: Preparing, documents: Documents, ask: Ask
) -> None:
    documents.away = True
    preparing.ask(ask(sequence=-1))
    served: list[tuple[Asking, StoreUnavailable | None]] = []
    while preparing.has_work:
        served += preparing.step()
    assert isinstance(served[0][1], StoreUnavailable)
