"""The subscription source by itself: what it remembers, when it acts, what it brings."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aggregator.sources._entries import changed_entries
from aggregator.sources.subscription import PLUGIN

from aggregator.contract import Collected, ConfigBlock, Group, HttpReply
from aggregator.errors import CollectError, ConfigError
from aggregator.testing import ScriptedConsumers, ScriptedHttp, StubContext, member
from aggregator.wire.notify import ValueChange
from aggregator.wire.parse import parse
from aggregator.wire.times import SECOND
from tests import notified, soap

NOW = 1_800_000_000 * SECOND
SOURCE = PLUGIN.source


def plan(topic: str = "t:Load", family: soap.Family = "oasis", *, more: str = "") -> Any:
    config = parse(notified.subscription_config(topic, family=family, more=more).encode())
    group = Group("G", min_interval=1, resolve_probe=lambda name: name)
    return SOURCE.check(ConfigBlock(config[0], config, member().epr, "oasis"), group=group)


def answering(*, lifetime: float = 60.0, family: soap.Family = "oasis") -> tuple[ScriptedHttp, Any]:
    producer = notified.Producer(url="http://p/service", family=family, lifetime=lifetime)

    def answer(url: str, body: bytes) -> HttpReply:
        status, content = producer.answer("/service", body)
        return HttpReply(status, "text/xml", content)

    return ScriptedHttp(answer), producer


def established(http: ScriptedHttp, now: int = NOW) -> tuple[dict[str, str], ScriptedConsumers]:
    consumers = ScriptedConsumers()
    context = StubContext(http=http, consumers=consumers, now=now)
    return dict(asyncio.run(SOURCE.establish(plan(), context=context))), consumers


def collected(http: ScriptedHttp, memory: dict[str, str], now: int) -> Collected:
    context = StubContext(http=http, memory=memory, now=now)
    return asyncio.run(SOURCE.collect(plan(), context=context))


def test_how_long_it_lasts_is_told_as_an_instant() -> None:
    named = "<agg:InitialTerminationTime>{}</agg:InitialTerminationTime>"
    assert plan(more=named.format("2030-01-01T00:00:00Z")).data["termination"] > NOW
    with pytest.raises(ConfigError, match="'PT10M' is no xsd:dateTime"):
        plan(more=named.format("PT10M"))


class TestTurns:
    def test_subscribing_again_and_what_was_missed_are_two_turns(self) -> None:
        """So that failing to ask for the value does not forget the subscription."""
        http, producer = answering(lifetime=60)
        memory, _ = established(http)
        memory["manager"] = ""
        again = collected(http, memory, NOW + SECOND)
        assert producer.calls == ["Subscribe", "Subscribe"]
        assert (again.content, again.again) == (None, 0.0)
        assert "synced" not in again.remember
        away = ScriptedHttp(lambda url, body: CollectError("gone", code="connection"))
        memory.update(again.remember)
        with pytest.raises(CollectError, match="gone"):
            collected(away, memory, NOW + 2 * SECOND)
        assert collected(http, memory, NOW + 3 * SECOND).remember == {"synced": memory["consumer"]}

    def test_nothing_is_done_before_half_of_its_life(self) -> None:
        http, producer = answering(lifetime=3600)
        memory, consumers = established(http)
        memory["synced"] = memory["consumer"]
        found = collected(http, memory, NOW + 60 * SECOND)
        assert producer.calls == ["Subscribe"]
        assert found.content is None
        assert 1600 < (found.again or 0) < 1800
        assert consumers.closed == []

    def test_the_producers_own_clock_counts(self) -> None:
        """It may be years off; what it says of now and of the end is what matters."""
        http, _ = answering(lifetime=100)
        memory, _ = established(http, now=1)
        assert abs(int(memory["ends"]) - 100 * SECOND) <= 2 * SECOND

    def test_a_producer_away_is_tried_again_until_it_must_have_forgotten(self) -> None:
        http, producer = answering(lifetime=60)
        memory, _ = established(http)
        away = ScriptedHttp(lambda url, body: CollectError("gone", code="connection"))
        with pytest.raises(CollectError, match="gone"):
            collected(away, memory, NOW + 40 * SECOND)
        # It is back after the end: subscribed to again, at another address.
        producer.forgets = True
        found = collected(http, memory, NOW + 90 * SECOND)
        assert producer.calls.count("Subscribe") == 2
        assert found.remember["manager"] != memory["manager"]

    def test_one_that_was_not_made_is_made(self) -> None:
        http, producer = answering()
        found = collected(http, {}, NOW)
        assert producer.calls[0] == "Subscribe"
        assert found.remember["consumer"]

    def test_a_subscribe_that_fails_leaves_no_address_open(self) -> None:
        http, producer = answering()
        producer.refuse = "SubscribeCreationFailedFault"
        consumers = ScriptedConsumers()
        context = StubContext(http=http, consumers=consumers)
        with pytest.raises(CollectError, match="SubscribeCreationFailedFault"):
            asyncio.run(SOURCE.establish(plan(), context=context))
        assert consumers.closed == consumers.opened != []


class TestRelease:
    def test_ends_the_subscription(self) -> None:
        http, producer = answering()
        memory, _ = established(http)
        asyncio.run(SOURCE.release(plan(), context=StubContext(http=http, memory=memory)))
        assert producer.calls == ["Subscribe", "Unsubscribe"]
        # Once more it is not known there, which is as well.
        asyncio.run(SOURCE.release(plan(), context=StubContext(http=http, memory=memory)))

    def test_of_a_producer_away_fails_and_is_tried_again(self) -> None:
        http, _ = answering()
        memory, _ = established(http)
        away = ScriptedHttp(lambda url, body: CollectError("gone", code="connection"))
        with pytest.raises(CollectError):
            asyncio.run(SOURCE.release(plan(), context=StubContext(http=away, memory=memory)))


def entry(key: str, value: str = "") -> bytes:
    own = f'<a:EntryKey xmlns:a="a">{key}</a:EntryKey>'
    return f'<sg:Entry xmlns:sg="s">{own}{value}</sg:Entry>'.encode()


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        ((), (entry("3"),), "1 2 3"),
        ((), (entry("1", "x"),), "1x 2"),
        ((entry("1"),), (entry("1", "x"),), "1x 2"),
        ((entry("1"),), (), "2"),
        ((entry("9"),), (), "1 2"),
    ],
)
def test_changed_entries_keep_the_others(
    old: tuple[bytes, ...], new: tuple[bytes, ...], after: str
) -> None:
    change = ValueChange(tuple(map(parse, old)), tuple(map(parse, new)))
    found = changed_entries((entry("1"), entry("2")), change)
    assert " ".join("".join(parse(one).itertext()) for one in found) == after


def test_a_notification_that_can_not_be_read_is_told() -> None:
    message = f'<n:NotificationMessage xmlns:n="{notified.NT["oasis"]}"/>'.encode()
    with pytest.raises(CollectError, match="no Message"):
        asyncio.run(SOURCE.receive(plan(), message, context=StubContext()))
