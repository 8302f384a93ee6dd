"""What the service's events say, and that the page of events shows it."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from aggregator.bus.life import Life
from aggregator.bus.settings import container_name, event_settings
from aggregator.config import Settings
from aggregator.config.events import EventsSettings
from aggregator.config.server import ServerSettings
from aggregator.events.encoding import decode
from aggregator.events.publisher import KEY_HEADER
from aggregator.events.settings import EventSettings
from aggregator.events.transport import Delivery
from aggregator.model import Entry, Health
from aggregator.store.happenings import Happening
from aggregator.store.outbox import Told
from tests.pages import Page
from tests.sources_read import ROOT

PAGE = Page(ROOT / "docs" / "events.md")
NOW = 1_769_860_800_250_000
LIFE = Life(EventSettings(sys_name="site"), "host:8080")
ENTRY = Entry(
    id=7,
    group="DefaultIndexService",
    key="0643a1f08b5b0d2e",
    member=b"",
    address="https://ce1.example.org:8443/wsrf/services/ManagedJobFactoryService",
    dialect="oasis",
    config=b"",
    data=(),
    health=Health(
        last_success=NOW - 10_000_000,
        consecutive_failures=1,
        error_code="timeout",
        error_message="no answer within 10 s",
        since=NOW,
    ),
    interval=0,
    termination=NOW + 600_000_000,
    owner="",
    origin="",
    version=1,
)
FAILING = Told(1, 42, NOW, "health", ENTRY, "failing")


def only(told: Told, life: Life = LIFE) -> Delivery:
    (found,) = life.of_change(told)
    return found


def read(delivery: Delivery) -> Any:
    return decode(delivery.body, delivery.content_type, delivery.headers, limit=100_000)


def test_the_page_shows_what_a_failing_entry_is_told_by() -> None:
    shown = PAGE.fenced("text")
    assert json.dumps(json.loads(read(only(FAILING)).body), indent=2) + "\n" in shown


@pytest.mark.parametrize(
    ("kind", "ends", "name", "state"),
    [
        ("added", None, "added", "NEW"),
        ("renewed", NOW + 1, "renewed", "ACTIVE"),
        ("removed", None, "destroyed", "TERMINATED"),
        ("removed", NOW + 1, "destroyed", "TERMINATED"),
        ("removed", NOW, "expired", "TERMINATED"),
        ("removed", NOW - 1, "expired", "TERMINATED"),
    ],
)
def test_the_life_of_a_registration(kind: str, ends: int | None, name: str, state: str) -> None:
    told = Told(1, 42, NOW, kind, replace(ENTRY, termination=ends))
    delivery = only(told)
    event = read(delivery)
    assert delivery.routing_key == "1001.DefaultIndexService.0643a1f08b5b0d2e"
    assert (event.name, event.state.name) == (name, state)
    assert json.loads(event.body)["what"] == name
    assert event.datetime == NOW / 1e6


@pytest.mark.parametrize("kind", ["health", "content"])
def test_what_is_no_turn_is_no_event(kind: str) -> None:
    assert list(LIFE.of_change(Told(1, 42, NOW, kind, ENTRY))) == []


def test_a_key_is_the_changes_own() -> None:
    first = only(FAILING).headers[KEY_HEADER]
    assert only(FAILING, replace(LIFE, ahead=5)).headers[KEY_HEADER] == first
    others = [FAILING._replace(sequence=43), FAILING._replace(at=NOW + 1)]
    assert first not in {only(one).headers[KEY_HEADER] for one in others}


def test_what_a_member_sends_does_not_make_an_event_unwritable() -> None:
    """An address of any length is cut, as is the message of an error."""
    health = replace(ENTRY.health, error_message="<\x01ä>" * 100_000)
    entry = replace(ENTRY, address="http://h/" + "x" * 100_000, health=health)
    event = read(only(Told(1, 42, NOW, "health", entry, "failing")))
    assert len(event.url) == len(event.additional_data.url) == 1000


@pytest.mark.parametrize(
    ("kind", "group", "topic"),
    [
        ("subscribed", "A", "1201.A"),
        ("unsubscribed", "A", "1202.A"),
        ("started", "", "1051.host:8080"),
        ("stopped", "", "1051.host:8080"),
    ],
)
def test_what_happens_beside_changes(kind: str, group: str, topic: str) -> None:
    key = "mark" if group else "host:8080"
    (found,) = LIFE.of_happening(Happening(3, NOW, kind, 1, key, ""), group)
    assert found.routing_key == topic
    assert read(found).name == kind


@pytest.mark.parametrize(("kind", "status"), [("fired", "ERROR"), ("recovered", "")])
def test_an_alert_is_told_of_the_entry_whose_rule_it_is(kind: str, status: str) -> None:
    detail = json.dumps({"rule": "0", "action": "mail", "matching_rule": "//load > 5"})
    (found,) = LIFE.of_happening(Happening(3, NOW, kind, 1, "0661", detail), "A")
    assert found.routing_key == "1112.A.0661"
    event = read(found)
    assert event.name == kind
    told = json.loads(event.body)
    assert (told["entry"], told["rule"], told["action"]) == ("0661", "0", "mail")
    assert (event.status is not None and event.status.name == "ERROR") == bool(status)


def test_a_kind_of_a_later_version_is_passed_over() -> None:
    assert list(LIFE.of_happening(Happening(3, NOW, "triggered", 1, "x", ""), "A")) == []


def test_the_service_is_named_by_its_host() -> None:
    """Several of one address are told apart."""
    at = ServerSettings(public_url="https://index.example.org/x", port=8443)
    assert container_name(Settings(server=at)) == f"{socket.gethostname()}:8443"
    [told] = LIFE.of_happening(Happening(3, NOW, "started", 0, "h:1", "http://index/"), "")
    assert json.loads(read(told).body)["address"] == "http://index/"


def test_the_settings_of_the_bus_are_those_of_events() -> None:
    given = EventsSettings(broker="amqp://h", sys_name="s", durable=True, broker_timeout=3.0)
    made = event_settings(Settings(events=given))
    assert made == EventSettings(sys_name="s", broker="amqp://h", durable=True, timeout=3.0)
