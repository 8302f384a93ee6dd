"""A message as the log of the store keeps it, and as it was published."""

from __future__ import annotations

import json

from aggregator.events.transport.contract import Delivery
from aggregator.store.event_log import LoggedEvent, append_event
from aggregator.store.write import Write


def append_delivery(write: Write, delivery: Delivery, *, exchange: str) -> None:
    """Log a message with this transaction."""
    append_event(
        write,
        exchange=exchange,
        topic=delivery.routing_key,
        content_type=delivery.content_type,
        headers=json.dumps(dict(delivery.headers), default=str),
        body=delivery.body,
    )


def delivery_of(event: LoggedEvent) -> Delivery:
    """The message as it was published."""
    return Delivery(
        routing_key=event.topic,
        body=bytes(event.body),
        content_type=event.content_type,
        headers=json.loads(event.headers),
    )
