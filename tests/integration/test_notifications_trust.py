"""Delivery that can be trusted: again, in order, bounded, through every crash."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import notified, soap
from tests.databases import DATABASES, database
from tests.notified import Consumer, subscribe
from tests.pulled import messages, pull_point
from tests.service import MANY_GROUPS, RunningService, running_service, start_service
from tests.waiting import until

from .each_database import service
from .notification_kit import consumer, document, group, told

CONFIG = f"[notifications]\nsuspend_after = '1s'\nmax_subscriptions = 20\n{MANY_GROUPS}"
__all__ = ["consumer", "group", "service"]


class TestTrust:
    def test_a_consumer_that_was_away_is_told_what_it_missed(
        self, group: str, consumer: Consumer
    ) -> None:
        manager = subscribe(group, consumer.url)
        consumer.respond = lambda body: 503
        for name in "abc":
            soap.add(group, f"http://m/{name}")
        rp, health = soap.NS["oasis"]["rp"], "urn:mds-aggregator:health"

        def state() -> str:
            asked = f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:h="{health}">h:health'
            return soap.call(manager, f"{asked}</rp:GetResourceProperty>").body.findtext(
                ".//{*}state"
            )

        until(lambda: state() == "suspended", what="it is shown as suspended")
        consumer.respond = lambda body: 202
        assert [*map(told, consumer.until_messages(3))] == [f"http://m/{n}" for n in "abc"]
        until(lambda: state() == "active", what="it is well again")

    def test_a_slow_consumer_delays_no_other(self, group: str, consumer: Consumer) -> None:
        def slow(body: bytes) -> int:
            time.sleep(2)
            return 202

        with notified.consumer() as other:
            other.respond = slow
            subscribe(group, other.url)
            subscribe(group, consumer.url)
            for name in "abc":
                soap.add(group, f"http://m/{name}")
            found = consumer.until_messages(3, within=1.8)
        assert [*map(told, found)] == [f"http://m/{name}" for name in "abc"]

    def test_one_that_takes_a_part_is_told_the_rest_again_with_the_same_ids(
        self, group: str, consumer: Consumer
    ) -> None:
        seen: list[bytes] = []

        def lost(body: bytes) -> int:
            seen.append(body)
            # Taken, but the answer is lost on its way back.
            return 202 if len(seen) > 2 else 500

        consumer.respond = lost
        subscribe(group, consumer.url)
        soap.add(group, "http://m/a")
        consumer.until_messages(1)
        first, *_, last = seen
        assert first == last


@contextlib.contextmanager
def killed_between_adds(
    url: str, tmp_path: Path, consumer_of: Callable[[RunningService], str]
) -> Iterator[tuple[str, list[str]]]:
    """A service that was killed after each forty of its adds: who was to be told, and of what."""
    options = ["--database", url]
    running = start_service(tmp_path / "service", config=CONFIG, options=options)
    port = int(running.url.rpartition(":")[2])
    added = [f"http://m/{turn}/{number}" for turn in range(3) for number in range(40)]
    try:
        subscribe(running.group, consumer := consumer_of(running))
        for address in added:
            soap.add(running.group, address)
            if address.endswith("/39"):
                running.kill()
                running = start_service(
                    tmp_path / "service", config=CONFIG, options=options, port=port
                )
        yield consumer, added
    finally:
        running.kill()


@pytest.mark.parametrize("kind", DATABASES)
def test_nothing_is_lost_when_all_is_killed(kind: str, tmp_path: Path) -> None:
    """Adds go on while the service is killed twice; order holds, and repeats can be told."""
    with (
        database(kind, tmp_path) as url,
        notified.consumer() as consumer,
        killed_between_adds(url, tmp_path, lambda running: consumer.url) as (_, added),
    ):
        until(lambda: len(set(consumer.ids())) >= len(added), what="all are told")
    by_id: dict[str, str] = {}
    for name, message in zip(consumer.ids(), consumer.messages(), strict=True):
        assert by_id.setdefault(name, told(message)) == told(message)
    assert list(by_id.values()) == added


@pytest.mark.parametrize("kind", DATABASES)
def test_a_pull_point_gives_each_once_whatever_is_killed(kind: str, tmp_path: Path) -> None:
    with (
        database(kind, tmp_path) as url,
        killed_between_adds(url, tmp_path, lambda running: pull_point(running.url)) as told_to,
    ):
        point, added = told_to
        found: list[str] = []

        def all_are_there() -> bool:
            with contextlib.suppress(ConnectionError):
                found.extend(told(one.find("{*}Message")[0]) for one in messages(point, 7))
            return len(found) >= len(added)

        until(all_are_there, what="all are told")
        time.sleep(0.5)
        assert messages(point) == []
    assert found == added


def test_a_restart_in_order_repeats_nothing(tmp_path: Path) -> None:
    with notified.consumer() as consumer:
        running = start_service(tmp_path, config=CONFIG)
        port = int(running.url.rpartition(":")[2])
        subscribe(running.group, consumer.url)
        try:
            for turn in range(2):
                for number in range(5):
                    soap.add(running.group, f"http://m/{turn}{number}")
                consumer.until_messages(5 * turn + 5)
                running.stop()
                running = start_service(tmp_path, config=CONFIG, port=port)
            time.sleep(1)
        finally:
            running.stop()
        assert len(consumer.ids()) == len(set(consumer.ids())) == 10


@pytest.mark.parametrize("overflow", ["drop", "end"])
def test_what_is_kept_for_who_stays_away_is_bounded(overflow: str, tmp_path: Path) -> None:
    # In a registry that collects nothing an Add is the only change that there is.
    config = (
        f"[notifications]\nqueue_length = 10\noverflow = '{overflow}'\n"
        "[groups.Plain]\nrequire_source = false\n"
    )
    with running_service(tmp_path, config=config) as running, notified.consumer() as consumer:
        group = f"{running.url}/wsrf/services/Plain"
        manager = subscribe(group, consumer.url)
        ended: list[bytes] = []

        def refuse(body: bytes) -> int:
            ended.append(body)
            return 500

        consumer.respond = refuse
        for number in range(30):
            soap.add(group, f"http://m/{number}", "")
        if overflow == "end":
            until(lambda: document(manager).status == 500, what="the subscription ends")
            until(lambda: b"TerminationNotification" in ended[-1], what="that is told")
            return
        until(
            lambda: (
                document(manager).body.findtext("{*}SubscriptionRP/{*}health/{*}dropped") == "20"
            ),
            what="some are passed over",
        )
        consumer.respond = lambda body: 202
        assert [*map(told, consumer.until_messages(10))] == [f"http://m/{n}" for n in range(20, 30)]
