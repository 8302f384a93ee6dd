"""The action ``event``: alerts on the event bus, through a broker and through each store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from aggregator.config import Settings, load_settings
from aggregator.config.actions import ActionSettings, settings_for
from aggregator.config.events import EventsSettings
from aggregator.config.storage import StoreSettings
from aggregator.events import (
    BusinessStateChangeSubscriber,
    CriticalLoggingEventSubscriber,
)
from tests.events_kit import Inbox, amqp_url, migrated, own_system
from tests.integration.action_kit import FIRED, ID, RECOVERED, Ended, given_by, run
from tests.service import free_port, running_service

ORIGIN = "DefaultTriggerService.0643a1f08b5b0d2e"


def settings(broker: str, system: str, **more: Any) -> Settings:
    """The service's, with a broker, or with its own store for one."""
    events = EventsSettings(sys_name=system, broker_timeout=3.0)
    store = StoreSettings()
    if broker.startswith("amqp"):
        events = replace(events, broker=broker)
    else:
        store = replace(store, url=broker)
    return Settings(events=events, store=store, actions=ActionSettings(**more))


def publish(given: Settings, folder: Path, stdin: bytes = FIRED) -> Ended:
    return run("event", given_by(given, "event"), folder, stdin=stdin)


@pytest.mark.parametrize(
    "kind", ["amqp", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_an_alert_is_an_event_of_its_entry(kind: str, tmp_path: Path) -> None:
    if kind == "amqp":
        with own_system(amqp_url()) as system:
            _fired_and_recovered(amqp_url(), system, tmp_path)
        return
    with migrated(kind, tmp_path) as url, own_system(url) as system:
        _fired_and_recovered(url, system, tmp_path)


def _fired_and_recovered(broker: str, system: str, folder: Path) -> None:
    inbox = Inbox()
    subscriber = BusinessStateChangeSubscriber(origin=ORIGIN)
    subscriber.on_data = inbox
    with subscriber:
        given = settings(broker, system)
        again = FIRED.replace(b'attempt="1"', b'attempt="2"')
        told: list[tuple[Any, ...]] = []
        for stdin in (FIRED, again, RECOVERED):
            done = publish(given, folder, stdin)
            assert done.published.get("topic") == f"1112.{ORIGIN}"
            data = inbox.next()
            assert inbox.arrived.empty()
            event, body = data.content, json.loads(data.content.body)
            told.append((event.name, event.status, data.headers["event-key"], body["attempt"]))
            assert (event.origin, event.data_resource_id) == (ORIGIN, "0643a1f08b5b0d2e")
    assert [(name, status and status.name) for name, status, _, _ in told] == [
        ("fired", "ERROR"),
        ("fired", "ERROR"),
        ("recovered", None),
    ]
    # What comes again is known by its key.
    assert [(key, attempt) for _, _, key, attempt in told] == [
        (ID, 1),
        (ID, 2),
        (f"{ID}.recovered", 1),
    ]
    assert event.datetime == 1769862000.25
    assert "RECOVERED: rule 1 of https://ce1.example.org" in event.description
    assert body["matching_rule"] == "//glue:ProcessorLoad[@glue:Last1Min > 900]"
    assert body["data"].startswith("<inputMessage>")


def test_an_alert_goes_into_the_store_of_the_service_that_runs(tmp_path: Path) -> None:
    with running_service(tmp_path / "service") as service:
        options = {"server.data_dir": str(service.data_dir)}
        given = load_settings(None, environ={}, options=options)
        with own_system(given.database_url) as system:
            inbox = Inbox()
            subscriber = BusinessStateChangeSubscriber(origin=ORIGIN)
            subscriber.on_data = inbox
            with subscriber:
                named = replace(given, events=replace(given.events, sys_name=system))
                assert publish(named, tmp_path).status == 0
                assert inbox.next().content.name == "fired"


def test_the_kind_of_event_is_the_operators_choice(tmp_path: Path) -> None:
    inbox = Inbox()
    with migrated("sqlite", tmp_path) as url, own_system(url) as system:
        subscriber = CriticalLoggingEventSubscriber(origin=ORIGIN)
        subscriber.on_data = inbox
        with subscriber:
            done = publish(settings(url, system, event_id=3001), tmp_path)
            assert done.published.get("topic") == f"3001.{ORIGIN}"
            assert inbox.next().content.name == "fired"


def test_what_the_bus_does_not_take_is_left_out(tmp_path: Path) -> None:
    large = b"<Host>" + b"\xe2\x82\xac" * 400_000 + b"</Host>"
    stdin = FIRED.replace(b"<inputMessage>", b"<inputMessage>" + large)
    inbox = Inbox()
    with migrated("sqlite", tmp_path) as url, own_system(url) as system:
        subscriber = BusinessStateChangeSubscriber()
        subscriber.on_data = inbox
        with subscriber:
            assert publish(settings(url, system, max_data=8 * 2**20), tmp_path, stdin).status == 0
            body = json.loads(inbox.next().content.body)
    assert (body["data"], body["result"] is None) == (None, False)


def test_a_broker_that_is_away_is_tried_again(tmp_path: Path) -> None:
    url = f"amqp://guest:s3cr3t@127.0.0.1:{free_port()}//"
    done = publish(settings(url, "away"), tmp_path)
    assert (done.status, done.out) == (75, b"")
    assert "s3cr3t" not in done.err
    refused = amqp_url().replace(f":{urlsplit(amqp_url()).password}@", ":wr0ng@")
    done = publish(settings(refused, "away"), tmp_path)
    assert done.status == 1
    assert "wr0ng" not in done.err


def test_a_store_that_is_not_there_yet_is_tried_again(tmp_path: Path) -> None:
    done = publish(settings(f"sqlite:///{tmp_path / 'none' / 'aggregator.db'}", "away"), tmp_path)
    assert (done.status, done.out, done.err.count("\n")) == (75, b"", 1)


def test_only_this_action_is_told_of_bus_and_store() -> None:
    given = settings("amqp://user:s3cr3t@host//", "site")
    told = {name: settings_for(given, name) for name in ("log", "mail", "webhook", "event", "own")}
    assert [name for name, values in told.items() if "s3cr3t" in str(values)] == ["event"]
    assert told["own"] == {}
