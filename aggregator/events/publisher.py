"""Publishing: what every publisher of events has."""

from __future__ import annotations

import os
import socket
import time
from typing import Any, ClassVar

from aggregator.errors import BrokerRefused, BrokerUnavailable, EventFieldsUnknown, EventNotReady
from aggregator.events import metrics
from aggregator.events.encoding import encode
from aggregator.events.lifecycle import LifecycleObject
from aggregator.events.messages import EventMessage, Message, RawMessage, message_type
from aggregator.events.settings import EventSettings, adjusted, get_events_exchange_point
from aggregator.events.topics import UNKNOWN, topic
from aggregator.events.transport import Delivery, Exchange, connect

#: The header of a message that names the event: the same when it is published again.
KEY_HEADER = "event-key"
#: The message of a kind of event: its class, or the id of its type.
MessageType = type[Message] | int | None


class Publisher(LifecycleObject):
    """Sends messages to an exchange point, each under a routing key.

    `process` is who sends: a name, or an object that has a `name` and an `id`. `sys_name` and
    `broker` are those of the process where they are not given. Raises EventNotReady unless
    exchange point, routing key and process are there.
    """

    def __init__(
        self,
        *,
        xp_name: str,
        routing_key: str,
        process: object,
        sys_name: str | None = None,
        broker: str | None = None,
    ) -> None:
        super().__init__()
        for value, what in (
            (xp_name, "xp_name"),
            (routing_key, "routing_key"),
            (process, "process"),
        ):
            if not value:
                raise EventNotReady(f"{type(self).__name__} needs {what}")
        self.xp_name = xp_name
        self.routing_key = routing_key
        self.process = process
        self.settings = adjusted(sys_name=sys_name, broker=broker)

    def publish(self, message: Message | RawMessage, *, routing_key: str | None = None) -> None:
        """Send a message; it is safe with the broker when this returns, heard by somebody or not.

        Raises BrokerUnavailable when the broker does not confirm in time (whether it has the
        message is in doubt then), BrokerRefused, EventUnwritable.
        """
        self.activate()
        settings = self.settings
        send(self.delivery(message, routing_key=routing_key), self.xp_name, settings=settings)

    def delivery(
        self, message: Message | RawMessage, *, routing_key: str | None = None
    ) -> Delivery:
        """The message as it is sent, for who carries it to the exchange by other means.

        Raises EventUnwritable.
        """
        settings = self.settings
        encoded = encode(message, encoding=settings.encoding, limit=settings.max_message)
        return Delivery(
            routing_key=routing_key or self.routing_key,
            body=encoded.body,
            content_type=encoded.content_type,
            headers={**encoded.headers, **_sender(self.process)},
        )


def send(delivery: Delivery, xp_name: str, *, settings: EventSettings) -> None:
    """Send what a publisher made; it is safe with the broker when this returns.

    Raises BrokerUnavailable and BrokerRefused.
    """
    exchange = Exchange(xp_name, settings.durable)
    try:
        heard = connect(settings.broker).publish(
            delivery, exchange=exchange, timeout=settings.timeout
        )
    except (BrokerUnavailable, BrokerRefused):
        metrics.PUBLISHED.labels("failed").inc()
        raise
    metrics.PUBLISHED.labels("taken" if heard else "unheard").inc()


class EventPublisher(Publisher):
    """Base of the publishers of events; each kind of event has one that is derived of it.

    Events are published whether or not anybody listens. A derived class names its `event_id`, a
    number that no other kind of event has, and its `msg_type`, the class (or the type id) of the
    message that its events carry as additional data. One that lacks them is abstract. Where that
    message has an enum, the publisher has a class with the same names, so that a value can be
    given before there is a message::

        class CompassEventPublisher(EventPublisher):
            event_id = 9001
            msg_type = CompassEventMessage

            class Direction:
                NORTH = "NORTH"
                SOUTH = "SOUTH"

        publisher = CompassEventPublisher(origin="bridge")
        publisher.create_and_publish_event(direction=CompassEventPublisher.Direction.NORTH)
    """

    event_id: ClassVar[int | None] = None
    msg_type: ClassVar[MessageType] = None

    class Status:
        """Names for `status`, which every event may have."""

        IN_PROGRESS = "IN_PROGRESS"
        CACHED = "CACHED"
        ERROR = "ERROR"
        NO_CACHE = "NO_CACHE"

    def __init__(
        self,
        *,
        origin: str = UNKNOWN,
        xp_name: str | None = None,
        routing_key: str = UNKNOWN,
        process: object = None,
        sys_name: str | None = None,
        broker: str | None = None,
    ) -> None:
        """`origin` is where events come from that are published without one of their own.

        `xp_name` is the exchange, that of the system by default; `process` is the name of this
        host and process by default.
        """
        super().__init__(
            xp_name=get_events_exchange_point(sys_name) if xp_name is None else xp_name,
            routing_key=routing_key,
            process=f"{socket.gethostname()}.{os.getpid()}" if process is None else process,
            sys_name=sys_name,
            broker=broker,
        )
        self.origin = origin

    @classmethod
    def topic(cls, origin: str | None) -> str:
        """The topic of this kind of event from `origin`; EventNotReady unless both are there."""
        return topic(cls.event_id, origin)

    @classmethod
    def create_event(cls, **kwargs: Any) -> EventMessage:
        """An event with these fields, which may be changed until it is published.

        Names that EventMessage has are its own, all others are those of the additional message.
        `datetime` is now where it is not given. Enums are given by number, by name, or as members.
        Raises EventNotReady in an abstract class, EventFieldsUnknown for names that neither has,
        EventValueUnknown, TypeError and ValueError for values that don't fit.
        """
        kind = _message_class(cls)
        if kwargs.get("datetime") is None:
            kwargs["datetime"] = time.time()
        additional = kwargs.pop("additional_data", None)
        event = EventMessage()
        _move(kwargs, event)
        event.additional_data = kind() if additional is None else additional
        _move(kwargs, event.additional_data)
        if kwargs:
            raise EventFieldsUnknown(
                f"create_event: unused kwargs remaining ({', '.join(kwargs)}), unused by base"
                f" event message and msg type id {kind.type_id} ({kind.__name__} has"
                f" {', '.join(kind.FIELDS) or 'no fields'})"
            )
        return event

    def publish_event(self, event_msg: Message | RawMessage, origin: str | None = None) -> None:
        """Publish an event; its topic has `origin`, or that of the publisher.

        Raises EventNotReady where there is none, and what `publish` raises.
        """
        if not isinstance(event_msg, Message | RawMessage):
            raise TypeError(
                f"an event is a message, see create_event; given was {type(event_msg).__name__}"
            )
        origin = self.origin if origin is None else origin
        if not origin or origin == UNKNOWN:
            raise EventNotReady("Error - No origin publishing event message")
        self.publish(event_msg, routing_key=self.topic(origin))

    def create_and_publish_event(self, **kwargs: Any) -> EventMessage:
        """Create an event, publish it and return it.

        An `origin` that is given is both told in the event and the origin of its topic; that of
        the publisher is only the latter.
        """
        event = self.create_event(**kwargs)
        self.publish_event(event, origin=kwargs.get("origin"))
        return event


def _message_class(publisher: type[EventPublisher]) -> type[Message]:
    kind = publisher.msg_type
    if isinstance(kind, int):
        kind = message_type(kind)
    if kind is None:
        raise EventNotReady(
            f"{publisher.__name__} has no msg_type: it is abstract, derive one that names the"
            " message of its events"
        )
    return kind


def _move(values: dict[str, Any], message: Message) -> None:
    """Assign those values that the message has fields for, and take them out."""
    for name in [name for name in values if name in message.FIELDS]:
        setattr(message, name, values.pop(name))


def _sender(process: object) -> dict[str, str]:
    name = getattr(process, "name", None) or process
    return {"sender-name": str(name), "sender": str(getattr(process, "id", None) or name)}
