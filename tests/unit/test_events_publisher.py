"""Publishers make and publish events by the rules of the original."""

from __future__ import annotations

import time
from typing import Any

import pytest

from aggregator.errors import EventFieldsUnknown, EventNotReady, EventUnwritable
from aggregator.events import (
    AppLoaderEventPublisher,
    DatasourceUpdateEventPublisher,
    EventMessage,
    EventPublisher,
    InfrastructureEventPublisher,
    LoggingEventPublisher,
    Publisher,
    RawMessage,
    ResourceLifecycleEventMessage,
    ResourceLifecycleEventPublisher,
    TriggerEventMessage,
    configure,
)
from tests import events_kit
from tests.events_kit import CompassEventPublisher, Inbox

system = events_kit.system
inbox = events_kit.inbox
Lifecycle = ResourceLifecycleEventPublisher


class TestCreating:
    def test_sets_the_base_message_first_and_the_additional_one_with_the_rest(self) -> None:
        event = Lifecycle.create_event(
            name="n", state=Lifecycle.State.ACTIVE, status=Lifecycle.Status.CACHED
        )
        assert (event.name, event.status) == ("n", event.Status.CACHED)
        assert event.additional_data == ResourceLifecycleEventMessage(state=3)

    def test_takes_the_time_where_it_is_not_given(self) -> None:
        before = time.time()
        assert before <= (Lifecycle.create_event().datetime or 0) <= time.time()
        assert before <= (Lifecycle.create_event(datetime=None).datetime or 0) <= time.time()
        assert Lifecycle.create_event(datetime=12.5).datetime == 12.5

    def test_works_on_an_instance_too(self, system: str) -> None:
        assert Lifecycle(origin="x").create_event(state="NEW").state == 1

    def test_leaves_the_event_to_be_changed(self) -> None:
        event = CompassEventPublisher.create_event()
        event.direction = event.Direction.SOUTH
        event.additional_data.note = "n"
        event.description = "d"
        assert event.additional_data.direction == 2
        assert event.additional_data.note == "n"

    def test_uses_up_what_the_base_message_takes(self) -> None:
        class TwiceNamed(EventPublisher):
            event_id = 9002
            msg_type = EventMessage

        event = TwiceNamed.create_event(name="outer")
        assert event.name == "outer"
        assert event.additional_data.name is None

    def test_refuses_what_neither_has(self) -> None:
        with pytest.raises(EventFieldsUnknown) as refused:
            Lifecycle.create_event(state="NEW", nonsense=1, other=2)
        assert "create_event: unused kwargs remaining (nonsense, other)" in str(refused.value)
        assert "msg type id 2323" in str(refused.value)

    def test_refuses_an_enum_member_that_there_is_not(self) -> None:
        with pytest.raises(AssertionError, match="DEAD"):
            Lifecycle.create_event(state="DEAD")

    def test_needs_a_type_of_message(self) -> None:
        for abstract in (EventPublisher, InfrastructureEventPublisher):
            with pytest.raises(AssertionError, match="no msg_type"):
                abstract.create_event()

    def test_takes_the_type_of_message_by_number(self) -> None:
        class Numbered(EventPublisher):
            event_id = 9003
            msg_type = 2324

        assert Numbered.create_event(task_id="t").additional_data == TriggerEventMessage(
            task_id="t"
        )

    def test_takes_an_additional_message_that_is_there_already(self) -> None:
        given = TriggerEventMessage(task_id="t")
        event = DatasourceUpdateEventPublisher.create_event(additional_data=given)
        assert event.additional_data is given


class TestPublishing:
    def test_goes_to_the_topic_of_kind_and_origin(self, inbox: Inbox) -> None:
        publisher = Lifecycle(origin="buoy")
        publisher.publish_event(publisher.create_event(state="NEW"))
        publisher.publish_event(publisher.create_event(state="NEW"), origin="ship")
        assert inbox.next().routing_key == "1001.buoy"
        assert inbox.next().routing_key == "1001.ship"

    def test_tells_the_origin_in_the_event_only_where_it_is_given_with_it(
        self, inbox: Inbox
    ) -> None:
        publisher = Lifecycle(origin="buoy")
        publisher.create_and_publish_event(state="NEW")
        publisher.create_and_publish_event(state="NEW", origin="ship")
        first, second = inbox.next(), inbox.next()
        assert (first.routing_key, first.content.origin) == ("1001.buoy", None)
        assert (second.routing_key, second.content.origin) == ("1001.ship", "ship")

    def test_tells_who_sends(self, inbox: Inbox) -> None:
        class Process:
            name, id = "ingestion", "host.17"

        Lifecycle(origin="x", process=Process()).create_and_publish_event()
        Lifecycle(origin="x", process="by hand").create_and_publish_event()
        found = inbox.next()
        assert (found.sender_name, found.sender) == ("ingestion", "host.17")
        assert found.headers["sender-name"] == "ingestion"
        assert inbox.next().sender == "by hand"

    @pytest.mark.parametrize("origin", [None, "", "unknown"])
    def test_needs_an_origin(self, system: str, origin: str | None) -> None:
        publisher = Lifecycle()
        assert publisher.origin == "unknown"
        with pytest.raises(AssertionError, match="No origin publishing event message"):
            publisher.publish_event(publisher.create_event(), origin=origin)

    def test_needs_an_event_id(self, system: str) -> None:
        publisher = LoggingEventPublisher(origin="x")
        with pytest.raises(AssertionError, match="no event_id"):
            publisher.publish_event(publisher.create_event())

    def test_succeeds_with_nobody_listening(self, system: str) -> None:
        event = Lifecycle(origin="nobody").create_and_publish_event(state="NEW")
        assert event.state == 1

    def test_takes_messages_alone(self, system: str) -> None:
        with pytest.raises(TypeError, match="an event is a message"):
            Lifecycle(origin="x").publish_event("text")  # type: ignore[arg-type]

    def test_sends_raw_bytes_as_they_are(self, inbox: Inbox) -> None:
        raw = RawMessage(b"\x00\xff", 10001)
        CompassEventPublisher(origin="x").publish_event(raw)
        assert inbox.next().content == raw

    def test_sends_no_more_than_may_be_sent(self, system: str) -> None:
        configure(max_message=1000)
        publisher = AppLoaderEventPublisher(origin="x")
        with pytest.raises(EventUnwritable, match="at most 1000"):
            publisher.create_and_publish_event(description="x" * 1000)

    def test_is_over_once_it_was_terminated(self, system: str) -> None:
        publisher = Lifecycle(origin="x")
        publisher.terminate()
        publisher.terminate()
        with pytest.raises(EventNotReady, match="was terminated"):
            publisher.create_and_publish_event()


@pytest.mark.parametrize("missing", ["xp_name", "routing_key", "process"])
def test_a_plain_publisher_needs_all_three(missing: str) -> None:
    given: dict[str, Any] = {"xp_name": "x", "routing_key": "k", "process": "p"}
    Publisher(**given)
    with pytest.raises(AssertionError, match=missing):
        Publisher(**{**given, missing: ""})


def test_without_a_system_the_exchange_has_the_plain_name() -> None:
    assert Lifecycle(sys_name="").xp_name == "events.topic"
    assert Lifecycle(sys_name="ion").xp_name == "ion.events.topic"
    assert Lifecycle(sys_name="ion", xp_name="mine").xp_name == "mine"
