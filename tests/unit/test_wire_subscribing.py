"""Subscribe and Notify: what is written is read again, in both versions."""

from __future__ import annotations

import pytest

from aggregator.errors import SubscribeFailed
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, GT4, OASIS, Dialect
from aggregator.wire.epr import EndpointReference
from aggregator.wire.notify import (
    notifications_of,
    read_notification,
    value_change,
    write_notification,
    write_notify,
    write_value_change,
)
from aggregator.wire.parse import parse
from aggregator.wire.subscribing import Condition, Subscribe, read_subscribe, write_subscribe
from aggregator.wire.topics import parse_topic_expression, write_topic
from tests.shared import published_schemas

EACH = pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)
TOPIC = parse_topic_expression(
    "sg:Entry", dialect=ns.TOPIC_DIALECTS[0] + "Simple", scope={"sg": ns.GT4_SG, "n": "urn:n"}
)


def asked(**more: object) -> Subscribe:
    return Subscribe(
        consumer=EndpointReference("http://c/"),
        consumer_xml=b"",
        topics=(TOPIC,),
        contents=(Condition("//x:a = 'n:b'", {"x": "urn:x"}),),
        properties=(Condition("count(//*) > 3"),),
        termination="2036-01-01T00:00:00Z",
        **more,  # type: ignore[arg-type]
    )


class TestSubscribe:
    @EACH
    @pytest.mark.parametrize("raw", [False, True])
    def test_is_read_as_it_was_written(self, dialect: Dialect, *, raw: bool) -> None:
        policy = (
            b"" if not raw or dialect is GT4 else f'<n:UseRaw xmlns:n="{dialect.nt}"/>'.encode()
        )
        written = write_subscribe(
            asked(raw=raw),
            dialect=dialect,
            consumer=EndpointReference("http://c/?a&b"),
            policy=policy,
        )
        body = parse(written)
        published_schemas().validate(body)
        found = read_subscribe(body, dialect=dialect)
        assert found.consumer.address == "http://c/?a&b"
        assert found.raw is raw
        assert [one.expression for one in found.contents] == ["//x:a = 'n:b'"]
        assert found.contents[0].scope == {"x": "urn:x"}
        assert [one.expression for one in found.properties] == ["count(//*) > 3"]
        assert found.termination == "2036-01-01T00:00:00Z"
        (topic,) = found.topics
        assert topic.selects((ns.clark(ns.OASIS_SG, "Entry"),))
        # Names and dialects are those of the producer's version.
        assert topic.scope["sg"] == dialect.sg
        assert (ns.TOPIC_DIALECTS[1] in topic.dialect) is (dialect is OASIS)

    @EACH
    def test_without_anything_to_read_is_refused(self, dialect: Dialect) -> None:
        with pytest.raises(SubscribeFailed):
            read_subscribe(
                parse(f'<n:Subscribe xmlns:n="{dialect.nt}"/>'.encode()), dialect=dialect
            )

    def test_a_large_consumer_reference_is_refused(self) -> None:
        """It would come back with every notification, to whomever it names."""
        body = (
            f'<n:Subscribe xmlns:n="{OASIS.nt}" xmlns:a="{OASIS.wsa}"><n:ConsumerReference>'
            "<a:Address>http://c/</a:Address><a:ReferenceParameters>"
            f"<x>{'x' * 20_000}</x></a:ReferenceParameters></n:ConsumerReference></n:Subscribe>"
        )
        with pytest.raises(SubscribeFailed, match="at most 16384 are taken"):
            read_subscribe(parse(body.encode()), dialect=OASIS)

    def test_too_many_filters_are_refused(self) -> None:
        topic = f'<n:TopicExpression Dialect="{ns.TOPIC_DIALECTS[1]}Simple">a</n:TopicExpression>'
        body = (
            f'<n:Subscribe xmlns:n="{OASIS.nt}" xmlns:a="{OASIS.wsa}"><n:ConsumerReference>'
            "<a:Address>http://c/</a:Address></n:ConsumerReference>"
            f"<n:Filter>{topic * 17}</n:Filter></n:Subscribe>"
        )
        with pytest.raises(SubscribeFailed, match="more than 16 filters"):
            read_subscribe(parse(body.encode()), dialect=OASIS)


class TestNotify:
    @EACH
    def test_is_read_as_it_was_written(self, dialect: Dialect) -> None:
        message = write_value_change(b"<a/>", dialect=dialect, old=b"<c/>")
        topic = write_topic(("{urn:t}a", "b"), dialect=dialect)
        one = write_notification(message, dialect=dialect, topic=topic)
        body = parse(write_notify([one, one], dialect=dialect))
        published_schemas().validate(body)
        first, second = map(read_notification, notifications_of(body))
        assert first.payload.tag == second.payload.tag
        change = value_change(first.payload)
        assert change is not None
        assert [[e.tag for e in part or ()] for part in (change.old, change.new)] == [
            ["c"],
            ["a"],
        ]

    @EACH
    def test_a_value_that_went_is_none(self, dialect: Dialect) -> None:
        message = parse(write_value_change(None, dialect=dialect, old=b"<c/>"))
        published_schemas().validate(message)
        change = value_change(message)
        assert change is not None
        assert change.new == ()

    def test_a_message_that_is_wrapped_once_more_is_unwrapped(self) -> None:
        message = write_value_change(b"<a/>", dialect=GT4)
        assert value_change(parse(b"<wrapper>" + message + b"</wrapper>")) is not None
        assert value_change(parse(b"<wrapper><x/></wrapper>")) is None

    def test_a_message_of_text_alone_is_its_holder(self) -> None:
        message = "<n:Message>7</n:Message>"
        holder = f'<n:NotificationMessage xmlns:n="{GT4.nt}">{message}</n:NotificationMessage>'
        found = read_notification(parse(holder.encode()))
        assert found.payload.text == "7"
