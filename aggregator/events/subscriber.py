"""Subscribing: what every subscriber to events has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aggregator.errors import EventNotReady, EventUnreadable
from aggregator.events import metrics
from aggregator.events.encoding import decode
from aggregator.events.lifecycle import LifecycleObject
from aggregator.events.messages import Message, RawMessage
from aggregator.events.settings import adjusted, get_events_exchange_point, queue_of_system
from aggregator.events.topics import binding, checked
from aggregator.events.transport import Delivery, Exchange, Queue, Subscription, connect

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventData:
    """What a handler is given; each of these can be read as an attribute and as an item.

    `content` is the EventMessage; a message that is none of ours is a RawMessage. `routing_key`
    is the topic it was published to, `sender` and `sender_name` are who says to have sent it,
    `size` are the bytes it had.
    """

    content: Any
    routing_key: str
    sender: str = ""
    sender_name: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0

    def __getitem__(self, name: str) -> Any:
        if name not in self.__slots__:
            raise KeyError(name)
        return getattr(self, name)


#: Called with each event, in a thread of the subscriber's, one after the other.
Handler = Callable[[EventData], object]


class Subscriber(LifecycleObject):
    """Receives what is published to an exchange point under keys that a pattern matches.

    Assign `on_data` before it is activated, or derive a class that has such a method.
    """

    on_data: Handler | None = None

    def __init__(
        self,
        *,
        xp_name: str | None = None,
        binding_key: str,
        queue_name: str | None = None,
        durable: bool = False,
        auto_delete: bool = True,
        process: object = None,
        sys_name: str | None = None,
        broker: str | None = None,
    ) -> None:
        super().__init__()
        self.settings = adjusted(sys_name=sys_name, broker=broker)
        self.xp_name = get_events_exchange_point(sys_name) if xp_name is None else xp_name
        self.binding_key = checked(binding_key)
        self.queue_name = queue_of_system(queue_name, self.settings.sys_name)
        self.process = process
        self.durable = durable
        self.auto_delete = auto_delete
        self._subscription: Subscription | None = None
        if queue_name and self.queue_name != queue_name:
            log.warning("The queue %s is named %s on the broker", queue_name, self.queue_name)
        if not queue_name and (durable or not auto_delete):
            log.warning("%s: a queue without a name is not kept", self.binding_key)

    @property
    def ondata(self) -> Handler | None:
        """Another name of `on_data`."""
        return self.on_data

    @ondata.setter
    def ondata(self, handler: Handler | None) -> None:
        self.on_data = handler

    def activate(self, *args: Any, **kwargs: Any) -> None:
        """Begin to receive: what is published after this returns is delivered.

        Raises EventNotReady without a handler; BrokerUnavailable where the broker can't be
        reached within the time-out, and BrokerRefused. A connection that is lost later is made
        anew for as long as it takes.
        """
        super().activate(*args, **kwargs)

    def on_activate(self, *args: Any, **kwargs: Any) -> None:
        """Bind the queue. One that overrides it may set `on_data` first; what is left undone is
        done when it returns.
        """
        self._begin()

    def on_terminate(self, *args: Any, **kwargs: Any) -> None:
        """Stop to receive; waits up to the time-out for a handler that is under way."""
        if self._subscription is not None:
            self._subscription.cancel(timeout=self.settings.timeout)

    def unsubscribe(self) -> None:
        """Nothing, as ever; `terminate` ends a subscriber."""
        log.warning("unsubscribe is not implemented; terminate the subscriber")

    def _begin(self) -> None:
        if self._subscription is not None:
            return
        if self._handler() is None:
            raise EventNotReady(
                f"{type(self).__name__} has no handler: assign on_data before it is activated"
            )
        queue = Queue(
            exchange=Exchange(self.xp_name, self.settings.durable),
            binding=self.binding_key,
            name=self.queue_name,
            durable=self.durable,
            auto_delete=self.auto_delete,
        )
        self._subscription = connect(self.settings.broker).subscribe(
            queue, self._receive, timeout=self.settings.timeout
        )

    def _handler(self) -> Handler | None:
        # A derived class may have either of them as a method.
        return self.on_data or self.ondata

    def _receive(self, delivery: Delivery) -> None:
        """Hand a message to the handler; whatever comes of it, the message is dealt with."""
        try:
            data = _read(delivery, limit=self.settings.max_message)
        except EventUnreadable as error:
            metrics.RECEIVED.labels("unreadable").inc()
            log.warning("A message of %.80r can't be read: %s", delivery.routing_key, error)
            return
        except Exception:
            metrics.RECEIVED.labels("unreadable").inc()
            log.exception("A message of %.80r can't be read", delivery.routing_key)
            return
        handler = self._handler()
        try:
            if handler is not None:
                handler(data)
        except BaseException:  # One that calls sys.exit ends no more than its turn, too.
            metrics.RECEIVED.labels("failed").inc()
            log.exception("The handler of %s failed", self.binding_key)
        else:
            metrics.RECEIVED.labels("handled").inc()


class EventSubscriber(Subscriber):
    """Base of the subscribers to events, and the one to all of them.

    It receives the events of an `event_id` from an `origin`; where one of them is not given it
    is any. A derived class names its `event_id`. The catalogue is flat: who subscribes to 1001
    is not told of 1051, though one class is derived of the other.
    """

    event_id: ClassVar[int | None] = None

    def __init__(
        self,
        *,
        xp_name: str | None = None,
        binding_key: str | None = None,
        event_id: int | str | None = None,
        origin: str | None = None,
        queue_name: str | None = None,
        durable: bool = False,
        auto_delete: bool = True,
        process: object = None,
        sys_name: str | None = None,
        broker: str | None = None,
    ) -> None:
        """`event_id` is that of the class, and `xp_name` the exchange of the system by default;
        a `binding_key` that is given counts in place of event_id and origin.

        Subscribers on one `queue_name` share what arrives; each without one receives all. The
        name is prefixed by that of the system. `durable` keeps the queue over a restart of the
        broker, and with ``auto_delete=False`` it also collects events while nobody receives.
        """
        self._event_id = self.event_id if event_id is None else event_id
        super().__init__(
            xp_name=xp_name,
            binding_key=binding_key or self.topic(origin),
            queue_name=queue_name,
            durable=durable,
            auto_delete=auto_delete,
            process=process,
            sys_name=sys_name,
            broker=broker,
        )
        self.origin = origin

    def topic(self, origin: str | None = None) -> str:
        """The pattern of the topics to receive: ``1001.ucsd``, ``1001.#``, ``*.#``."""
        return binding(self._event_id, origin)


def _read(delivery: Delivery, *, limit: int) -> EventData:
    headers = delivery.headers
    content: Message | RawMessage = decode(
        delivery.body, delivery.content_type, headers, limit=limit
    )
    return EventData(
        content,
        delivery.routing_key,
        sender=str(headers.get("sender", "")),
        sender_name=str(headers.get("sender-name", "")),
        headers=headers,
        size=len(delivery.body),
    )
