"""The member as a notification producer: every resource property is a topic."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aggregator.errors import (
    MultipleTopics,
    NoCurrentMessage,
    RequestError,
    TopicNotSupported,
)
from aggregator.member.names import DOCUMENT
from aggregator.member.resource import Resource
from aggregator.member.subscriptions import Subscription, Subscriptions
from aggregator.notify.consumer import check_consumer
from aggregator.notify.filters import Filters
from aggregator.notify.granting import granted_until
from aggregator.view.properties import document_tags
from aggregator.wire.dialects import Dialect
from aggregator.wire.notify import write_value_change
from aggregator.wire.subscribing import Subscribe
from aggregator.wire.subscription_replies import subscribe_response
from aggregator.wire.times import format_datetime
from aggregator.wire.topics import TopicExpression, write_topic

logger = logging.getLogger(__name__)


class Producer:
    """Takes subscriptions, and tells subscribers when a property has changed."""

    def __init__(
        self,
        resource: Resource,
        subscriptions: Subscriptions,
        *,
        filters: Filters,
        now: Callable[[], int],
    ) -> None:
        self._resource = resource
        self._subscriptions = subscriptions
        self._filters = filters
        self._now = now

    def subscribe(self, request: Subscribe, *, dialect: Dialect) -> bytes:
        """The SubscribeResponse; raises SubscribeFailed or one of its kind."""
        check_consumer(request.consumer.address)
        if request.topics and not any(
            topic.selects((name,)) for topic in request.topics for name in self._topics(dialect)
        ):
            told = ", ".join(self._topics(dialect))
            raise TopicNotSupported(f"none of the topics is selected; there are {told}"[:2000])
        now = self._now()
        termination = granted_until(request.termination, now=now, longest=0)
        manager = self._subscriptions.make(
            request, dialect=dialect, termination=termination, is_wanted=self.is_wanted
        )
        return subscribe_response(
            manager, dialect=dialect, now=now, termination=termination, changed_entries=False
        )

    def current_message(self, topic: TopicExpression, *, dialect: Dialect) -> bytes:
        """The message that would tell the present value of the property that a topic names."""
        names = [name for name in self._topics(dialect) if topic.selects((name,))]
        if not names:
            raise TopicNotSupported(f"there is no topic {topic.text[:200]!r}")
        if len(names) > 1:
            raise MultipleTopics(f"{topic.text[:200]!r} selects {len(names)} topics; name one")
        value = self._value(names[0])
        if value is None:
            raise NoCurrentMessage(f"{names[0]} has no value yet")
        return write_value_change(value, dialect=dialect)

    def publish(self, name: str) -> None:
        """Tell who subscribed to a property what its value is now."""
        value = self._value(name)
        for subscription in self._subscriptions:
            if not subscription.paused and _is_about(subscription, name):
                self._tell(subscription, name, value)

    def _tell(self, subscription: Subscription, name: str, value: bytes | None) -> None:
        dialect = subscription.consumer.dialect
        message = write_value_change(value, dialect=dialect)
        subscription.put(message, write_topic((name,), dialect=dialect))

    async def is_wanted(self, subscription: Subscription, message: bytes) -> bool:
        """Whether a message is wanted, by what was asked of it and of the properties."""
        request = subscription.request
        if not request.contents and not request.properties:
            return True
        head, tail = document_tags(DOCUMENT)
        at = format_datetime(self._now())
        elements = self._resource.elements(subscription.consumer.dialect, at=at)
        properties = head + b"".join(elements) + tail
        try:
            for condition, document in (
                *((one, message) for one in request.contents),
                *((one, properties) for one in request.properties),
            ):
                if not await self._filters.holds(condition, document):
                    return False
        except RequestError as error:
            logger.warning("a notification is left out: %s", error, extra=subscription.words())
            return False
        return True

    def _topics(self, dialect: Dialect) -> tuple[str, ...]:
        return self._resource.topics(dialect)

    def _value(self, name: str) -> bytes | None:
        cut = self._resource.property(name)
        joined = format_datetime(self._now()).encode().join(cut) if cut else b""
        return joined or None


def _is_about(subscription: Subscription, name: str) -> bool:
    topics = subscription.request.topics
    return not topics or any(topic.selects((name,)) for topic in topics)
