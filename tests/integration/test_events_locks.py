"""Who waits for whom where several use the queues of a PostgreSQL store at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from aggregator.events.topics import matches
from aggregator.store import event_queues
from aggregator.store.event_queues import bind_queue, enter_reader, prune_queues, take_event
from tests.events_kit import migrated
from tests.integration.test_events_store import log
from tests.stores import SECOND, Store, opened

pytestmark = pytest.mark.postgresql


class Scene:
    """A store, and its database as another process has it."""

    def __init__(self, store: Store, url: str) -> None:
        self.store = store
        address = make_url(url).set(drivername="postgresql")
        self._url = address.render_as_string(hide_password=False)

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection]:
        """Another one's transaction, which waits for nobody for long; undone at the end."""
        with psycopg.connect(self._url) as found:
            found.execute("SET lock_timeout = '300ms'")
            yield found
            found.rollback()

    def bind(self, name: str, *, lives: float = 60.0, auto_delete: bool = True) -> None:
        def unit(write: object) -> None:
            bind_queue(write, name, exchange="x", pattern="#", auto_delete=auto_delete)  # type: ignore[arg-type]
            until = self.store.clock.now() + round(lives * SECOND)
            enter_reader(write, name, f"r{name}", until=until)  # type: ignore[arg-type]

        self.store.writer.run(unit)

    def names(self) -> list[str]:
        ask = "SELECT name FROM event_queues ORDER BY name"
        return self.store.query(lambda found: list(found.exec_driver_sql(ask).scalars()))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with migrated("postgresql", tmp_path) as url:
        store = opened(url, tmp_path)
        try:
            yield Scene(store, url)
        finally:
            store.close()


def test_who_takes_holds_nothing_while_it_waits_for_the_queue(scene: Scene) -> None:
    """Else who deletes the queue, with the claims on it, waits for who waits for that."""
    scene.bind("q")
    log(scene.store, 2)
    take = partial(take_event, name="q", reader="rq", matches=matches)
    scene.store.writer.run(partial(take, done=None))
    with ThreadPoolExecutor(1) as pool:
        with scene.session() as other:
            other.execute("UPDATE event_queues SET used = used WHERE name = 'q'")
            taken = pool.submit(scene.store.writer.run, partial(take, done=1))
            threading.Event().wait(0.5)
            assert not taken.done()
            other.execute("DELETE FROM event_claims WHERE queue = 'q'")
        event, _, _ = taken.result(10)
        assert event is not None
        assert event.sequence == 2


def test_a_queue_that_is_in_use_is_let_be(scene: Scene) -> None:
    for name in "ba":
        scene.bind(name, lives=-1.0)
    with scene.session() as other:
        other.execute("UPDATE event_queues SET used = used WHERE name = 'a'")
        scene.store.writer.run(partial(prune_queues, before=0))
        assert scene.names() == ["a"]
    scene.store.writer.run(partial(prune_queues, before=0))
    assert scene.names() == []


def test_a_reader_that_is_just_giving_a_sign_is_not_waited_for(scene: Scene) -> None:
    scene.bind("q", lives=-1.0, auto_delete=False)
    with scene.session() as other:
        other.execute("UPDATE event_readers SET until = until WHERE reader = 'rq'")
        scene.store.writer.run(partial(prune_queues, before=0), timeout=2.0)
    assert scene.names() == ["q"]


def test_a_queue_that_got_a_reader_before_it_was_locked_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stale:
        """What was found before the reader came."""

        def rows(self, connection: object, **values: object) -> list[tuple[str]]:
            return [("q",)]

    scene.bind("q")
    monkeypatch.setattr(event_queues, "IDLE", Stale())
    scene.store.writer.run(partial(prune_queues, before=0))
    assert scene.names() == ["q"]
