"""A server that goes away, comes back, or falls silent: answers in time, and by itself."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from aggregator.errors import StoreUnavailable
from aggregator.store.engine import Store
from tests import databases, stores
from tests.integration import own_postgresql
from tests.integration.black_hole import BlackHole
from tests.integration.own_postgresql import OwnPostgresql
from tests.stores import added, consistent, keys, opened

pytestmark = pytest.mark.postgresql
postgresql_url = databases.postgresql_url
server = own_postgresql.server
LIMIT = 1.0
SOON = 30


def test_connections_that_the_server_ended_are_replaced_unnoticed(
    postgresql_url: str, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex
    url = make_url(postgresql_url).update_query_dict({"application_name": name})
    store = opened(url.render_as_string(hide_password=False), tmp_path)
    try:
        stores.prepare(store)
        acknowledged = set()
        for _ in range(3):
            acknowledged.add(added(store).key)
            assert keys(store) == acknowledged
            assert ended_sessions(postgresql_url, name) >= 2
        acknowledged.add(added(store).key)
        assert keys(store) == acknowledged
        consistent(store)
    finally:
        store.close()


def ended_sessions(url: str, name: str) -> int:
    """End the sessions of the application `name`; how many there were."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        return connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [name],
        ).rowcount


def test_a_crash_of_the_server_under_load_loses_nothing_acknowledged(
    server: OwnPostgresql, tmp_path: Path
) -> None:
    store = opened(server.url, tmp_path, write_timeout=LIMIT)
    stores.prepare(store)
    acknowledged: list[str] = []
    slowest: list[float] = []
    ends = threading.Event()

    def work() -> None:
        while not ends.is_set():
            began = time.monotonic()
            try:
                acknowledged.append(added(store).key)
            except StoreUnavailable:
                time.sleep(0.01)
            slowest.append(time.monotonic() - began)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            wait_until_longer(acknowledged, than=len(acknowledged) + 20)
            server.stop()
            with pytest.raises(StoreUnavailable):
                keys(store)
            server.start()
        wait_until_longer(acknowledged, than=len(acknowledged) + 20)
    finally:
        ends.set()
        for thread in threads:
            thread.join(SOON)
        assert set(acknowledged) <= keys(store)
        consistent(store)
        store.close()
    assert max(slowest) < LIMIT + 0.5


def wait_until_longer(values: list[str], *, than: int) -> None:
    """Wait until `values` has grown."""
    deadline = time.monotonic() + SOON
    while len(values) <= than:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def hole(postgresql_url: str) -> Iterator[BlackHole]:
    """A way to the test server that can be made to swallow everything."""
    url = make_url(postgresql_url)
    proxy = BlackHole(url.host or "127.0.0.1", url.port or 5432)
    try:
        yield proxy
    finally:
        proxy.close()


@pytest.fixture
def distant(hole: BlackHole, postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    """A store behind that way, with short time limits."""
    url = make_url(postgresql_url).set(host="127.0.0.1", port=hole.port)
    store = opened(
        url.render_as_string(hide_password=False), tmp_path, busy_timeout=0.8, write_timeout=LIMIT
    )
    try:
        stores.prepare(store)
        yield store
    finally:
        store.close()


def test_a_silent_server_is_given_up_in_time_and_taken_up_again(
    distant: Store, hole: BlackHole
) -> None:
    first = added(distant)
    assert keys(distant) == {first.key}
    hole.swallows = lambda _: True
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"nothing changed|did not answer"):
        added(distant)
    assert time.monotonic() - began < LIMIT
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        distant.ping()
    # Twice asked, and a connection takes up to three seconds to be given up.
    assert time.monotonic() - began < LIMIT + 3.5

    def ping() -> None:
        with suppress(StoreUnavailable):
            distant.ping()

    trying = threading.Thread(target=ping)
    trying.start()
    while not distant._trying.locked():
        time.sleep(0.001)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="away"):
        distant.ping()
    assert time.monotonic() - began < 0.5
    trying.join(SOON)
    hole.swallows = lambda _: False
    second = eventually_added(distant)
    assert keys(distant) == {first.key, second}
    consistent(distant)


def eventually_added(store: Store) -> str:
    """Add, as soon as it works again."""
    deadline = time.monotonic() + SOON
    while True:
        try:
            return added(store).key
        except StoreUnavailable:
            assert time.monotonic() < deadline


def test_a_commit_that_is_not_confirmed_is_said_to_be_in_doubt(
    distant: Store, hole: BlackHole
) -> None:
    first = added(distant)
    hole.swallows = lambda data: b"COMMIT" in data
    with pytest.raises(StoreUnavailable, match="in doubt"):
        added(distant)
    hole.swallows = lambda _: False
    second = eventually_added(distant)
    # It never reached the server, which is told by nobody else here.
    assert keys(distant) == {first.key, second}
    consistent(distant)
