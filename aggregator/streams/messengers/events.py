"""Onto the event bus: each message is the data block of an event."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from aggregator.errors import (
    BrokerRefused,
    BrokerUnavailable,
    EventUnwritable,
    MessageNotSent,
    MessageRefused,
)
from aggregator.events import DataBlockEventPublisher
from aggregator.events.publisher import send
from aggregator.streams.batch import Batch
from aggregator.streams.destinations import split
from aggregator.streams.messenger import BatchMessenger

#: The header that names an event, as the service's own events have it.
ID_HEADER = "event-key"


class EventMessenger(BatchMessenger):
    """Publishes each message as an event 4001, whose ``data_block`` it is, with the topic's origin.

    ``dataset_id`` is the table key, ``datasource_id`` the name of the stream. ``body`` is JSON:
    ``id``, ``rows`` (their ids), ``nodes``, ``groups`` and ``docks``. The header ``event-key`` is
    the id of the batch. `sys_name` and `broker` are those of the process where they are not given.
    """

    def __init__(
        self, origin: str, *, sys_name: str | None = None, broker: str | None = None
    ) -> None:
        self._publisher = DataBlockEventPublisher(origin=origin, sys_name=sys_name, broker=broker)
        # The error for an origin that is none comes here, not at the first message.
        self._topic = self._publisher.topic(origin)

    def send_batch(self, message: Any, batch: Batch) -> None:
        """See BatchMessenger."""
        publisher = self._publisher
        event = publisher.create_event(
            origin=publisher.origin,
            dataset_id=batch.table_key,
            datasource_id=batch.stream,
            data_block=_text(message),
            body=json.dumps(
                {
                    "id": batch.id,
                    "rows": batch.row_ids,
                    "nodes": split(batch.to.nodes),
                    "groups": split(batch.to.groups),
                    "docks": split(batch.to.docks),
                }
            ),
        )
        try:
            delivery = publisher.delivery(event, routing_key=self._topic)
            named = replace(delivery, headers={**delivery.headers, ID_HEADER: batch.id})
            publisher.activate()
            send(named, publisher.xp_name, settings=publisher.settings)
        except EventUnwritable as error:
            raise MessageRefused(str(error)) from error
        except (BrokerUnavailable, BrokerRefused) as error:
            raise MessageNotSent(str(error)) from error


def _text(message: Any) -> str:
    if isinstance(message, bytes | bytearray):
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise MessageRefused("an event carries text; the message is no UTF-8") from error
    if not isinstance(message, str):
        raise MessageRefused(
            f"the formatter made a {type(message).__name__}; an event carries a text"
        )
    return message
