"""The action ``event``: each alert published on the event bus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from aggregator.actions.alert import Alert
from aggregator.actions.given import Given
from aggregator.actions.running import outcome
from aggregator.actions.wording import facts, headline, one_line
from aggregator.errors import (
    ActionError,
    ActionPostponed,
    ActionUnconfigured,
    BrokerRefused,
    BrokerUnavailable,
    EventUnwritable,
)
from aggregator.events.publisher import KEY_HEADER, EventPublisher, send
from aggregator.events.publishers import (
    BusinessStateModificationEventPublisher,
    CriticalLoggingEventPublisher,
    ErrorLoggingEventPublisher,
)
from aggregator.events.settings import EventSettings, get_events_exchange_point
from aggregator.events.transport import Delivery
from aggregator.wire.times import SECOND, parse_datetime

KINDS: dict[int, type[EventPublisher]] = {
    1112: BusinessStateModificationEventPublisher,
    3001: CriticalLoggingEventPublisher,
    3002: ErrorLoggingEventPublisher,
}


def act(alert: Alert, given: Given) -> str:
    """Publish the event; the broker has confirmed it when this returns, or the store has it."""
    settings = settings_of(given)
    kind = KINDS.get(given.whole("event_id", 1112))
    if kind is None:
        raise ActionUnconfigured(f"actions.event_id is none of {', '.join(map(str, KINDS))}")
    delivery = delivery_of(alert, kind, settings, most=given.whole("max_data", 0))
    exchange = get_events_exchange_point(settings.sys_name)
    try:
        send(delivery, exchange, settings=settings)
    except BrokerUnavailable as error:
        raise ActionPostponed(one_line(str(error))) from error
    except BrokerRefused as error:
        raise ActionError(one_line(str(error))) from error
    return outcome("eventPublished", topic=delivery.routing_key)


def settings_of(given: Given) -> EventSettings:
    """The bus as the service is configured for it; its own store where it has no broker."""
    return EventSettings(
        sys_name=given.text("sys_name"),
        broker=given.needed("broker"),
        timeout=given.seconds("broker_timeout", 10.0),
        max_message=given.whole("max_message", 2**20),
        durable=given.truth("durable"),
    )


def delivery_of(
    alert: Alert, kind: type[EventPublisher], settings: EventSettings, *, most: int
) -> Delivery:
    """The message; where it is larger than the bus takes, without the data, then the result.

    ActionError where it can't be written even so.
    """
    for shorter in _shorter(alert):
        try:
            return _written(shorter, kind, settings, most=most)
        except (EventUnwritable, ValueError) as error:
            trouble = one_line(str(error))
    raise ActionError(f"the alert can't be written as an event: {trouble}")


def _shorter(alert: Alert) -> Iterator[Alert]:
    yield alert
    yield replace(alert, data="")
    yield replace(alert, data="", result="")


def _written(
    alert: Alert, kind: type[EventPublisher], settings: EventSettings, *, most: int
) -> Delivery:
    # As the service's own events are: of an entry, in its group.
    origin = ".".join(filter(None, (alert.group, alert.entry)))
    publisher = kind(
        origin=origin,
        xp_name=get_events_exchange_point(settings.sys_name),
        sys_name=settings.sys_name,
        broker=settings.broker,
    )
    publisher.settings = settings
    event = kind.create_event(
        name=alert.state,
        data_resource_id=alert.entry,
        origin=origin,
        description=headline(alert),
        datetime=_seconds(alert.at),
        body=json.dumps(facts(alert, most=most)),
        **({"status": "ERROR"} if alert.state == "fired" else {}),
    )
    made = publisher.delivery(event, routing_key=publisher.topic(origin))
    return replace(made, headers={**made.headers, KEY_HEADER: alert.key})


def _seconds(at: str) -> float | None:
    """The instant of an xsd:dateTime, None where it can't be read: then it is now."""
    try:
        instant = parse_datetime(at)
    except ValueError:
        return None
    return None if instant is None else instant / SECOND
