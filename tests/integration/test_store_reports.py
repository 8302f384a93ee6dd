"""Reports, REQUESTs, updates and what is kept of them, in the store, on both databases."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from aggregator.errors import ReportRefused
from aggregator.store.consumers import (
    attach_consumers,
    close_consumer,
    load_messages,
    mark_of,
    open_consumer,
    waiting_messages,
)
from aggregator.store.engine import Store
from aggregator.store.leases import release_shards, take_shards
from aggregator.store.report_feeding import (
    Processed,
    WaitingReport,
    bury_reports,
    load_reports,
    record_processed,
    revive_report,
    waiting_reports,
)
from aggregator.store.report_inbox import (
    NewReport,
    NodeLimits,
    follow_reports,
    forget_reports,
    some_nodes,
    take_report,
)
from aggregator.store.report_requests import (
    RequestAnswer,
    answer_requests,
)
from aggregator.store.report_status import (
    announce_aggregators,
    count_reports,
    dead_reports,
    node_states,
    save_data,
    tell_aggregator,
)
from aggregator.store.report_updates import (
    append_update,
    update_bounds,
)
from tests import stores
from tests.stores import ManualClock, added

store, clock = stores.store, stores.clock
SECOND = 1_000_000
LIMITS = NodeLimits(waiting=5, size=1000, rate=2, nodes=3, inbox=2)
ROOMY = NodeLimits(waiting=10_000, size=10**9, rate=1000, nodes=1000, inbox=1000)


@pytest.fixture
def epoch(store: Store) -> int:
    """The lease is held by "me"."""
    held = store.writer.run(lambda write: take_shards(write, "me", range(2), 60.0))
    return held[0]


def take(
    store: Store, node: str, id: str, *, data: bytes = b"x", limits: NodeLimits = ROOMY
) -> str:
    report = NewReport(node, id, "Load", "text/plain", data)
    return store.writer.run(lambda write: take_report(write, report, limits))


def refused(store: Store, node: str, id: str, **given: object) -> str:
    with pytest.raises(ReportRefused) as error:
        take(store, node, id, **given)  # type: ignore[arg-type]
    return error.value.reason


def waiting(
    store: Store, *, full: tuple[str, ...] = (), each: int = 100, most: int = 100
) -> list[WaitingReport]:
    now = store.clock.now()
    question = partial(waiting_reports, now=now, full=full, each=each, most=most)
    return store.query(question)


def record(store: Store, *found: Processed, epoch: int, holder: str = "me") -> bool:
    return store.writer.run(
        lambda write: record_processed(write, found, holder=holder, epoch=epoch)
    )


def numbers(store: Store) -> list[int]:
    return [one.number for one in waiting(store)]


def test_a_report_is_known_by_node_and_id_also_when_it_was_processed(
    store: Store, epoch: int
) -> None:
    assert take(store, "a", "1", data=b"first") == "taken"
    assert take(store, "a", "1", data=b"other") == "duplicate"
    assert take(store, "b", "1") == "taken"
    first, second = numbers(store)
    [stored] = store.query(lambda connection: load_reports(connection, [first]))
    assert (stored.node, stored.id, stored.data, stored.taken) == ("a", "1", b"first", frozenset())
    assert record(store, Processed(first), epoch=epoch)
    assert numbers(store) == [second]
    assert take(store, "a", "1") == "duplicate"
    assert store.query(lambda connection: load_reports(connection, [first])) == []


def test_what_one_node_may_have(store: Store, clock: ManualClock, epoch: int) -> None:
    for number in range(5):
        assert take(store, "a", str(number), limits=LIMITS) == "taken"
    assert refused(store, "a", "5", limits=LIMITS) == "full"
    # Known ones are still told so, whatever there is no room for.
    assert take(store, "a", "4", limits=LIMITS) == "duplicate"
    large = replace(LIMITS, size=10)
    assert take(store, "b", "1", limits=large, data=b"x" * 50) == "taken"
    assert refused(store, "b", "2", limits=large) == "full"
    assert take(store, "c", "1", limits=LIMITS) == "taken"
    assert refused(store, "d", "1", limits=LIMITS) == "nodes"


def test_how_fast_one_node_may_report(store: Store, clock: ManualClock, epoch: int) -> None:
    fast = replace(ROOMY, rate=2)
    for number in range(20):
        assert take(store, "a", str(number), limits=fast) == "taken"
    with pytest.raises(ReportRefused) as error:
        take(store, "a", "20", limits=fast)
    assert (error.value.reason, error.value.retry_after) == ("rate", 11)
    # Processed or not makes no difference.
    record(store, *map(Processed, numbers(store)), epoch=epoch)
    clock.time += 9 * SECOND
    assert refused(store, "a", "20", limits=fast) == "rate"
    clock.time += SECOND
    assert take(store, "a", "20", limits=fast) == "taken"
    # A clock that was set back must not lock a node out.
    clock.time -= 3600 * SECOND
    assert take(store, "a", "21", limits=fast) == "taken"


def test_who_floods_keeps_no_other_waiting(store: Store) -> None:
    for number in range(8):
        take(store, "loud", str(number))
    take(store, "quiet", "1")
    found = waiting(store, each=2, most=5)
    assert [one.node for one in found] == ["loud", "quiet", "loud"]
    assert [one.node for one in waiting(store, each=2)] == ["loud", "loud", "quiet"]
    assert waiting(store, full=("Load",)) == []


def test_a_report_that_failed_waits_and_is_dead_in_the_end(
    store: Store, clock: ManualClock, epoch: int
) -> None:
    take(store, "a", "1")
    [number] = numbers(store)
    later = clock.time + SECOND
    failed = Processed(number, "A: why", 1, later, frozenset({"B", "C"}))
    assert record(store, failed, epoch=epoch)
    assert numbers(store) == []
    clock.time = later
    [stored] = store.query(lambda connection: load_reports(connection, numbers(store)))
    assert (stored.tries, stored.taken) == (1, {"B", "C"})
    assert record(store, Processed(number, "A: why", 2, None), epoch=epoch)
    assert (numbers(store), store.query(count_reports)) == ([], (0, 1))
    [dead] = store.query(lambda connection: dead_reports(connection, after=0, most=10))
    assert (dead.id, dead.tries, dead.error) == ("1", 2, "A: why")
    # What is recorded late of one that is over changes nothing.
    assert record(store, Processed(number), epoch=epoch)
    assert store.query(count_reports) == (0, 1)
    assert store.writer.run(lambda write: revive_report(write, number))
    assert not store.writer.run(lambda write: revive_report(write, number))
    assert numbers(store) == [number]


def test_dead_reports_do_not_pile_up(store: Store, epoch: int) -> None:
    for number in range(5):
        take(store, "a", str(number))
    record(store, *(Processed(n, "why", 1, None) for n in numbers(store)), epoch=epoch)
    assert store.writer.run(lambda write: bury_reports(write, most=2)) == 3
    left = store.query(lambda connection: dead_reports(connection, after=0, most=10))
    assert [one.id for one in left] == ["3", "4"]
    assert store.writer.run(lambda write: bury_reports(write, most=2)) == 0


def test_nothing_is_recorded_under_a_lease_that_was_lost(store: Store, epoch: int) -> None:
    take(store, "a", "1")
    [number] = numbers(store)
    units = (
        partial(record_processed, found=[Processed(number)]),
        partial(announce_aggregators, found=[]),
        partial(tell_aggregator, name="A", error=""),
        partial(save_data, aggregator="A", data="1"),
        partial(append_update, aggregator="A", type="T", kind="text", data=b""),
        partial(answer_requests, answers=[(1, RequestAnswer("none", "", b""))]),
    )
    for unit in units:
        for holder, at in (("other", epoch), ("me", epoch + 1)):
            wrong = partial(unit, holder=holder, epoch=at)
            assert store.writer.run(wrong) is False, unit.func
    store.writer.run(lambda write: release_shards(write, "me"))
    assert record(store, Processed(number), epoch=epoch) is False
    assert numbers(store) == [number]
    assert store.query(update_bounds) == (0, 1)


def test_ids_of_the_newest_are_remembered(store: Store, clock: ManualClock, epoch: int) -> None:
    for number in range(6):
        take(store, "a", str(number))
    *done, last = numbers(store)
    record(store, *map(Processed, done), epoch=epoch)

    def forget(node: str, remembered: int, *, before: int = 0) -> int:
        return store.writer.run(
            lambda write: forget_reports(write, node, remembered=remembered, before=before)
        )

    assert forget("a", 3) == 3
    assert forget("a", 3) == 0
    assert take(store, "a", "3") == "duplicate"
    assert take(store, "a", "2") == "taken"
    # What waits is never forgotten, however old.
    assert forget("a", 0, before=clock.time + 1) == 2
    assert last in numbers(store)
    record(store, *map(Processed, numbers(store)), epoch=epoch)
    forget("a", 100, before=clock.time + 1)
    assert store.writer.run(lambda write: some_nodes(write, after="", most=9)) == []


def test_nodes_are_listed_in_pages(store: Store, epoch: int) -> None:
    for node in "cab":
        take(store, node, "1")
    [first, second] = store.query(lambda connection: node_states(connection, after="", most=2))
    assert (first.node, first.waiting, first.dead) == ("a", 1, 0)
    rest = store.query(lambda connection: node_states(connection, after=second.node, most=2))
    assert [one.node for one in rest] == ["c"]


def test_a_registration_gets_what_its_node_reports(store: Store) -> None:
    entry = added(store)
    for token, node in (("t1", "a"), ("t2", "a"), ("t3", "b")):

        def follow(write: object, token: str = token, node: str = node) -> None:
            open_consumer(write, token, group_id=1, entry_id=None)  # type: ignore[arg-type]
            mark = mark_of(token)
            follow_reports(write, mark, node=node, type="Load")  # type: ignore[arg-type]
            attach_consumers(write, [token], entry_id=entry.id)  # type: ignore[arg-type]

        store.writer.run(follow)
    assert take(store, "a", "1", data=b"one") == "taken"
    assert take(store, "a", "1", data=b"one") == "duplicate"
    found = store.query(lambda c: waiting_messages(c, shards=range(64), of=64, each=9, most=9))
    messages = store.query(lambda c: load_messages(c, [one.id for one in found]))
    assert [one.message for one in messages] == [
        b'{"node": "a", "id": "1", "type": "Load", "contentType": "text/plain"}\none'
    ] * 2
    store.writer.run(lambda write: close_consumer(write, mark_of("t2")))
    assert take(store, "a", "2") == "taken"
    assert take(store, "a", "3", limits=replace(ROOMY, inbox=2)) == "overrun"
    found = store.query(lambda c: waiting_messages(c, shards=range(64), of=64, each=9, most=9))
    assert len(found) == 3
