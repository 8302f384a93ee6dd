"""A subscription to a group or to an entry: what its consumer is told of a change, and how."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from aggregator.notify.consumer import Consumer, Notice
from aggregator.notify.page import Page
from aggregator.store.outbox import Told
from aggregator.store.subscriptions import Subscription
from aggregator.view import properties
from aggregator.view.fragments import GroupFacts, entry_fragment, entry_frame, publish
from aggregator.view.topics import CONTENT, ENTRY, REGISTRATION_COUNT, TERMINATION_TIME
from aggregator.wire.dialects import DIALECTS, Dialect
from aggregator.wire.epr import EndpointReference, read_epr, write_epr
from aggregator.wire.notify import write_termination, write_value_change
from aggregator.wire.parse import NO_LIMITS, parse
from aggregator.wire.subscribing import CHANGED_ENTRIES, Condition, Subscribe
from aggregator.wire.topics import Topic, TopicExpression, parse_topic_expression, write_topic

#: Makes the message about a change of a page.
Make = Callable[[Told, Page], bytes]


@dataclass(frozen=True, slots=True)
class Switches:
    """What of an entry's life is told to who subscribed to a group's Entry.

    Adds and removals are, always; MDS4's notifyOnEntryLifetimeExtension and
    notifyOnEntryContentChange are for the rest.
    """

    renewals: bool = True
    contents: bool = False

    def kinds(self) -> tuple[str, ...]:
        """The kinds of changes that are told."""
        told: tuple[str, ...] = ("added", "removed")
        told += ("renewed",) if self.renewals else ()
        return told + (("content", "health") if self.contents else ())


def dump_request(request: Subscribe) -> str:
    """What of a Subscribe is kept, as JSON."""
    return json.dumps(
        {
            "topics": [[one.text, one.dialect, dict(one.scope)] for one in request.topics],
            "contents": [[one.expression, dict(one.scope)] for one in request.contents],
            "properties": [[one.expression, dict(one.scope)] for one in request.properties],
            "raw": request.raw,
            "policies": list(request.policies),
        }
    )


def load_request(text: str, consumer: bytes) -> Subscribe:
    """The Subscribe of which this was kept, and its serialised ConsumerReference."""
    asked: Mapping[str, Any] = json.loads(text)
    return Subscribe(
        consumer=read_epr(parse(consumer, limits=NO_LIMITS)),
        consumer_xml=consumer,
        topics=tuple(
            parse_topic_expression(text, dialect=dialect, scope=scope)
            for text, dialect, scope in asked["topics"]
        ),
        contents=_conditions(asked["contents"]),
        properties=_conditions(asked["properties"]),
        raw=bool(asked["raw"]),
        policies=tuple(asked["policies"]),
    )


class Subscriber:
    """Who subscribed: what is wanted, and the messages for it."""

    def __init__(self, stored: Subscription, *, facts: GroupFacts, manager: str) -> None:
        self.stored = stored
        self.dialect: Dialect = DIALECTS[stored.dialect]
        asked = load_request(stored.request, stored.consumer)
        self.topics: tuple[TopicExpression, ...] = asked.topics
        self.contents = asked.contents
        self.properties = asked.properties
        self._wants_changes = CHANGED_ENTRIES in asked.policies
        self._wants: dict[Topic, bool] = {}
        self._facts = facts
        self.consumer = self._consumer(asked, manager)

    def _consumer(self, asked: Subscribe, manager: str) -> Consumer:
        stored, dialect = self.stored, self.dialect
        producer = EndpointReference(self._facts.address)
        if stored.entry_id:
            producer = self._facts.entry_epr(stored.entry_key)
        written = partial(write_epr, namespace=dialect.nt, dialect=dialect)
        return Consumer(
            asked.consumer,
            dialect,
            raw=asked.raw,
            producer=written(producer, name="ProducerReference"),
            manager=written(
                EndpointReference(f"{manager}/{stored.key}"), name="SubscriptionReference"
            ),
        )

    @property
    def group(self) -> str:
        """The name of the group."""
        return self._facts.name

    def notices(self, told: Told, switches: Switches, *, page: Page) -> Iterator[Notice]:
        """What there is to say of a change of a page, in the consumer's dialect."""
        about = self._of_entry(told) if self.stored.entry_id else self._of_group(told, switches)
        for topic, make in about:
            if self.wants(topic):
                family = self.dialect.family
                message = page.message(told, topic[0], family, partial(make, told, page))
                name = f"{self.stored.key}:{told.sequence}:{topic[0].rpartition('}')[2]}"
                yield Notice(name, message, _topic_element(topic, self.dialect))

    def wants(self, topic: Topic) -> bool:
        """Whether a topic was asked for."""
        found = self._wants.get(topic)
        if found is None:
            found = not self.topics or any(one.selects(topic) for one in self.topics)
            self._wants[topic] = found
        return found

    def _of_group(self, told: Told, switches: Switches) -> Iterator[tuple[Topic, Make]]:
        if self._wants_changes:
            switches = replace(switches, contents=True)
        if told.kind in switches.kinds():
            yield ENTRY, self._entry
        if told.kind == "added":
            yield REGISTRATION_COUNT, self._count

    def _of_entry(self, told: Told) -> Iterator[tuple[Topic, Make]]:
        if told.entry.id != self.stored.entry_id:
            return
        if told.kind == "renewed":
            yield TERMINATION_TIME, self._termination
        elif told.kind in ("content", "health"):
            yield CONTENT, self._content

    def is_paused_at(self, sequence: int) -> bool:
        """Whether a change came while the subscription was paused."""
        return self.stored.skip_after < sequence <= self.stored.skip_to

    def is_last(self, told: Told) -> bool:
        """Whether a change ends what was subscribed to."""
        return told.kind == "removed" and told.entry.id == self.stored.entry_id

    def _entry(self, told: Told, page: Page) -> bytes:
        return entry_message(told, facts=self._facts, dialect=self.dialect)

    def _count(self, told: Told, page: Page) -> bytes:
        return self._change(page.count())

    def _termination(self, told: Told, page: Page) -> bytes:
        value = properties.termination_time(told.entry.termination, dialect=self.dialect)
        return self._change(value)

    def _content(self, told: Told, page: Page) -> bytes:
        published = publish(told.entry, facts=self._facts, now=told.at)
        return self._change(properties.content(published, dialect=self.dialect))

    def _change(self, value: bytes) -> bytes:
        return write_value_change(value, dialect=self.dialect)


def entry_message(told: Told, *, facts: GroupFacts, dialect: Dialect) -> bytes:
    """The message that a group's Entry has changed: the entry that came or changed as new value,
    one that went as old value."""
    published = publish(told.entry, facts=facts, now=told.at)
    fragment = entry_fragment(published, entry_frame(facts, dialect))
    if told.kind == "removed":
        return write_value_change(None, dialect=dialect, old=fragment)
    return write_value_change(fragment, dialect=dialect)


def termination_notice(subscriber: Subscriber, at: int, reason: str) -> Notice:
    """That a subscription ends at an instant, and why."""
    dialect = subscriber.dialect
    message = write_termination(at, reason, dialect=dialect)
    name = f"{subscriber.stored.key}:end"
    return Notice(name, message, write_topic(TERMINATION_TIME, dialect=dialect))


@cache
def _topic_element(topic: Topic, dialect: Dialect) -> bytes:
    return write_topic(topic, dialect=dialect)


def _conditions(found: list[Any]) -> tuple[Condition, ...]:
    return tuple(Condition(expression, scope) for expression, scope in found)
