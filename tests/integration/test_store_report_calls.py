"""REQUESTs, updates and what is known of aggregators, in the store, on both databases."""

from __future__ import annotations

from functools import partial

import pytest

from aggregator.errors import ReportRefused
from aggregator.store.engine import Store
from aggregator.store.leases import take_shards
from aggregator.store.report_requests import (
    RequestAnswer,
    answer_requests,
    answered_requests,
    drop_requests,
    open_request,
    take_answer,
    waiting_requests,
)
from aggregator.store.report_status import (
    AggregatorState,
    aggregators,
    announce_aggregators,
    save_data,
    saved_data,
    tell_aggregator,
)
from aggregator.store.report_updates import (
    append_update,
    prune_updates,
    update_bounds,
    updates_after,
)
from tests import stores
from tests.stores import ManualClock

store, clock = stores.store, stores.clock
SECOND = 1_000_000


@pytest.fixture
def epoch(store: Store) -> int:
    """The lease is held by "me"."""
    held = store.writer.run(lambda write: take_shards(write, "me", range(2), 60.0))
    return held[0]


def test_a_request_meets_its_answer(store: Store, clock: ManualClock, epoch: int) -> None:
    def ask(type: str, *, most: int = 2) -> int:
        deadline = clock.time + 10 * SECOND
        return store.writer.run(
            lambda write: open_request(write, type, {"a": "é"}, deadline=deadline, most=most)
        )

    # Nobody knows yet which there are.
    first = ask("Early")
    state = AggregatorState("A", (), ("List",), ())
    store.writer.run(lambda w: announce_aggregators(w, [state], holder="me", epoch=epoch))
    with pytest.raises(ReportRefused, match="there is List") as unknown:
        ask("Other")
    assert unknown.value.reason == "unknown"
    second = ask("List")
    with pytest.raises(ReportRefused) as pending:
        ask("List")
    assert pending.value.reason == "pending"
    found = store.query(lambda c: waiting_requests(c, now=clock.time, most=9))
    assert [(one.id, one.type, one.arguments) for one in found] == [
        (first, "Early", {"a": "é"}),
        (second, "List", {"a": "é"}),
    ]
    answer = RequestAnswer("answered", "bytes", b"\0")
    answers = [(second, answer)]
    assert store.writer.run(lambda w: answer_requests(w, answers, holder="me", epoch=epoch))
    late = [(second, RequestAnswer("hung", "text", b""))]
    assert store.writer.run(lambda w: answer_requests(w, late, holder="me", epoch=epoch))
    assert store.query(lambda c: answered_requests(c, [first, second])) == {second}
    assert store.writer.run(lambda write: take_answer(write, second)) == answer
    assert store.writer.run(lambda write: take_answer(write, second)).outcome == ""
    clock.time += 11 * SECOND
    assert store.query(lambda c: waiting_requests(c, now=clock.time, most=9)) == []
    clock.time += 60 * SECOND
    store.writer.run(drop_requests)
    assert store.writer.run(lambda write: take_answer(write, first)).outcome == ""


def test_updates_are_kept_in_order_within_bounds(store: Store, epoch: int) -> None:
    def push(data: bytes) -> None:
        unit = partial(append_update, aggregator="A", type="T", kind="text", data=data)
        assert store.writer.run(partial(unit, holder="me", epoch=epoch))

    for number in range(5):
        push(b"%d" % number * 10)
    assert store.query(update_bounds) == (5, 1)
    found = store.query(lambda c: updates_after(c, 2, most=2, size=1000))
    assert [(one.sequence, one.data[:1]) for one in found] == [(3, b"2"), (4, b"3")]
    # One that is larger than all the room is given alone.
    assert len(store.query(lambda c: updates_after(c, 0, most=9, size=5))) == 1
    assert len(store.query(lambda c: updates_after(c, 0, most=9, size=25))) == 2
    assert store.query(lambda c: updates_after(c, 5, most=9, size=25)) == []

    def prune(most: int, size: int) -> int:
        return store.writer.run(lambda write: prune_updates(write, most=most, size=size))

    assert prune(4, 1000) == 1
    assert prune(4, 25) == 2
    assert store.query(update_bounds) == (5, 4)
    # The last one stays, however large.
    assert prune(4, 1) == 1
    assert prune(4, 1) == 0
    push(b"")
    assert store.query(update_bounds) == (6, 5)


def test_aggregators_and_what_they_saved_are_known_to_all(store: Store, epoch: int) -> None:
    found = [
        AggregatorState("B", ("R",), ("Q",), ("U",)),
        AggregatorState("A", (), (), (), error="it is being started"),
    ]
    store.writer.run(lambda w: announce_aggregators(w, found, holder="me", epoch=epoch))
    store.writer.run(lambda w: tell_aggregator(w, "A", error="", holder="me", epoch=epoch))
    assert [(one.name, one.error) for one in store.query(aggregators)] == [("B", ""), ("A", "")]
    for data in ("[1]", '{"a": 2}'):
        store.writer.run(
            lambda w, data=data: save_data(w, "A", data, holder="me", epoch=epoch)  # type: ignore[misc]
        )
    assert store.query(saved_data) == {"A": '{"a": 2}'}
