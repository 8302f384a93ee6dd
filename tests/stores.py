"""Stores for tests: opened on an empty database, with two groups, and a clock to turn by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.model import Caller, Change, Entry, Plan, Registration
from aggregator.store.clock import StoreClock
from aggregator.store.engine import Store, open_store
from aggregator.store.entries import add_entry, count_entries
from aggregator.store.groups import declare_groups
from aggregator.store.migrate import migrate
from aggregator.store.reading import changes_since, load_group
from aggregator.store.subscriptions import make_subscription
from aggregator.store.write import Write

SECOND = 1_000_000

PLAIN = Registration(
    group="A",
    member=b"<MemberEPR>x</MemberEPR>",
    address="http://member.example.org/service",
    dialect="oasis",
    config=b"<AggregatorConfig/>",
    content=(),
    plan=Plan("query", 5000, {"property": "{urn:x}Load"}),
    sink_plans={},
    termination=None,
    fingerprint="",
    caller=Caller(address="192.0.2.1"),
)


class ManualClock(StoreClock):
    """A clock that stands still until it is set."""

    def __init__(self, now: int = 1_700_000_000 * SECOND) -> None:
        super().__init__(follows_server=False)
        self.time = now

    def now(self) -> int:
        """What the clock was set to."""
        return self.time


def opened(url: str, folder: Path, **settings: Any) -> Store:
    """A store of small pools; time limits may be given."""
    wanted: dict[str, Any] = {"pool_size": 4, "busy_timeout": 4.0, "write_timeout": 5.0}
    return open_store(url=url, data_dir=folder, **(wanted | settings))


def prepare(store: Store) -> None:
    """Migrate, and declare the groups A and B, numbered 1 and 2."""
    migrate(store)
    assert declare_groups(store, ["A", "B"]) == {"A": 1, "B": 2}


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """A migrated store with the groups A and B, numbered 1 and 2."""
    found = opened(database_url, tmp_path)
    try:
        prepare(found)
        yield found
    finally:
        found.close()


@pytest.fixture
def clock(store: Store) -> ManualClock:
    """The clock of `store`, turned by hand."""
    manual = ManualClock()
    store.clock = manual
    store.writer._committer._clock = manual
    return manual


def added(store: Store, *, group_id: int = 1, **fields: Any) -> Entry:
    """An entry of a registration that has these `fields`, else those of `PLAIN`."""
    registration = replace(PLAIN, **fields)
    key = uuid.uuid4().hex
    return store.writer.run(
        lambda write: add_entry(write, registration, group_id=group_id, due=None, key=key)
    )


def subscribe(
    write: Write,
    entry: tuple[int, str] = (0, ""),
    *,
    pull_point: int = 0,
    termination: int | None = None,
) -> str:
    """Subscribe to the group A, or to an entry of it; the subscription's key."""
    return make_subscription(
        write,
        group_id=1,
        entry=entry,
        owner="",
        dialect="oasis",
        consumer=b"<c/>",
        request="{}",
        termination=termination,
        pull_point=pull_point,
    )


def log_of(store: Store, group_id: int = 1, *, after: int = 0) -> list[Change]:
    """The changes of a group, which must all be there still."""
    found = store.query(lambda connection: changes_since(connection, group_id, after))
    assert found is not None
    return found


def keys(store: Store, group_id: int = 1) -> set[str]:
    """The keys of all entries of a group that are stored."""
    return store.query(lambda connection: {entry.key for entry in load_group(connection, group_id)})


def consistent(store: Store) -> None:
    """Show that every change is told once, and that the count agrees with what is there."""
    changes = log_of(store)
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    assert store.writer.run(lambda write: count_entries(write, 1)) == len(keys(store))
