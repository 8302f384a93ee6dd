"""Messages hold what their fields say, carry their enums, and are changed until they are sent."""

from __future__ import annotations

import copy
import pickle
from enum import IntEnum
from typing import Any

import pytest

from aggregator.errors import EventValueUnknown
from aggregator.events import (
    AppLoaderEventMessage,
    ContainerStartupEventMessage,
    DatasetSupplementAddedEventMessage,
    EnumField,
    EventMessage,
    InstrumentSampleData,
    Message,
    ResourceLifecycleEventMessage,
    TextField,
    TriggerEventMessage,
)


def test_what_was_not_assigned_is_none() -> None:
    event = EventMessage(name="n")
    assert (event.name, event.origin, event.status) == ("n", None, None)
    assert event.is_set("name")
    assert not event.is_set("origin")
    event.name = None
    assert not event.is_set("name")


@pytest.mark.parametrize("value", [3, "ACTIVE", ResourceLifecycleEventMessage.State.ACTIVE])
def test_an_enum_is_given_by_number_by_name_or_as_a_member(value: object) -> None:
    message = ResourceLifecycleEventMessage(state=value)
    assert message.state is message.State.ACTIVE
    assert message.state == 3


@pytest.mark.parametrize("value", ["ACTIV", "active", "", 0, 6, -1])
def test_an_enum_has_no_other_members(value: object) -> None:
    message = ResourceLifecycleEventMessage(state="NEW")
    with pytest.raises(AssertionError, match=r"state has no") as refused:
        message.state = value
    assert isinstance(refused.value, EventValueUnknown)
    assert message.state == 1


def test_a_refusal_names_the_closest_member() -> None:
    with pytest.raises(EventValueUnknown, match=r"did you mean ACTIVE\?"):
        ResourceLifecycleEventMessage(state="ACTIV")
    with pytest.raises(EventValueUnknown, match=r"did you mean ACTIVE\?"):
        ResourceLifecycleEventMessage(state="active")
    with pytest.raises(EventValueUnknown, match="1 NEW, 2 READY"):
        ResourceLifecycleEventMessage(state=9)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (EventMessage, "origin", 7),
        (EventMessage, "origin", b"bytes"),
        (EventMessage, "datetime", "now"),
        (EventMessage, "datetime", True),
        (EventMessage, "additional_data", "text"),
        (EventMessage, "additional_data", {}),
        (ResourceLifecycleEventMessage, "state", 1.0),
        (ResourceLifecycleEventMessage, "state", True),
        (ResourceLifecycleEventMessage, "state", AppLoaderEventMessage.State.STARTED),
        (DatasetSupplementAddedEventMessage, "number_of_timesteps", 1.5),
        (DatasetSupplementAddedEventMessage, "number_of_timesteps", True),
        (ContainerStartupEventMessage, "startup_names", "one"),
        (ContainerStartupEventMessage, "startup_names", ["one", 2]),
    ],
)
def test_a_wrong_type_is_refused(kind: type[Message], name: str, value: object) -> None:
    message = kind()
    with pytest.raises(TypeError, match=rf"{name} holds .*; given was {type(value).__name__}"):
        setattr(message, name, value)
    assert not message.is_set(name)


@pytest.mark.parametrize(
    ("name", "largest"), [("start_datetime_millis", 2**63 - 1), ("number_of_timesteps", 2**31 - 1)]
)
def test_whole_numbers_have_their_bits(name: str, largest: int) -> None:
    message = DatasetSupplementAddedEventMessage()
    for value in (largest, -largest - 1):
        setattr(message, name, value)
        assert getattr(message, name) == value
    for value in (largest + 1, -largest - 2):
        with pytest.raises(ValueError, match="beyond that"):
            setattr(message, name, value)


def test_a_double_takes_whole_numbers_and_none_that_is_too_large() -> None:
    assert InstrumentSampleData(temperature=12).temperature == 12.0
    with pytest.raises(ValueError, match="too large"):
        InstrumentSampleData(temperature=10**400)


def test_half_of_a_character_is_no_text() -> None:
    with pytest.raises(ValueError, match="no character"):
        EventMessage(name="\ud800")


def test_an_unknown_field_is_refused_by_name() -> None:
    message = ResourceLifecycleEventMessage()
    with pytest.raises(AttributeError, match=r"no field 'stat'; did you mean state\?"):
        message.stat = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        _ = message.stat  # type: ignore[attr-defined]


def test_a_list_grows_in_its_message() -> None:
    message = ContainerStartupEventMessage()
    assert message.startup_names == []
    assert not message.is_set("startup_names")
    message.startup_names.append("one")
    assert message.startup_names == ["one"]
    assert message.is_set("startup_names")


class TestAdditionalData:
    def event(self) -> Any:
        return EventMessage(additional_data=ResourceLifecycleEventMessage())

    def test_is_changed_in_place(self) -> None:
        event = self.event()
        event.additional_data.state = event.additional_data.State.READY
        assert event.additional_data.state == 2

    def test_holds_what_the_event_lacks(self) -> None:
        event = self.event()
        event.state = event.State.ERROR
        assert event.additional_data.state == event.state == 5

    def test_does_not_hide_what_the_event_has(self) -> None:
        event = EventMessage(additional_data=EventMessage(name="inner"), name="outer")
        assert event.name == "outer"
        assert event.Status is EventMessage.Status

    def test_has_no_more_fields_than_it_has(self) -> None:
        event = self.event()
        with pytest.raises(AttributeError, match=r"EventMessage has.*ResourceLifecycleEvent"):
            event.nonsense = 1
        for name in ("nonsense", "type_id_", "_private", "is_unset"):
            with pytest.raises(AttributeError):
                getattr(event, name)

    def test_is_not_needed(self) -> None:
        with pytest.raises(AttributeError, match="EventMessage has no field 'state'"):
            EventMessage().state = 1  # type: ignore[attr-defined]


def test_messages_are_equal_by_type_and_values() -> None:
    assert TriggerEventMessage(task_id="t") == TriggerEventMessage(task_id="t")
    assert TriggerEventMessage(task_id="t") != TriggerEventMessage(task_id="u")
    assert TriggerEventMessage() != ResourceLifecycleEventMessage()
    assert TriggerEventMessage() != "TriggerEventMessage()"
    with pytest.raises(TypeError, match="unhashable"):
        hash(TriggerEventMessage())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_messages_can_be_copied(copied: Any) -> None:
    event = EventMessage(name="n", additional_data=TriggerEventMessage(task_id="t"))
    other = copied(event)
    assert other == event
    other.additional_data.task_id = "u"
    assert event.additional_data.task_id == "t"


class TestOwnMessages:
    def test_have_their_fields_and_those_they_inherit(self) -> None:
        class Base(Message):
            type_id = 90_010
            note = TextField()

        class Derived(Base):
            type_id = 90_011

            class Colour(IntEnum):
                RED = 1

            colour = EnumField(Colour)

        assert set(Derived.FIELDS) == {"note", "colour"}
        assert Derived(note="n", colour="RED").colour is Derived.Colour.RED
        assert set(Base.FIELDS) == {"note"}

    def test_have_no_type_id_of_the_catalogue(self) -> None:
        with pytest.raises(ValueError, match="2323 is that of ResourceLifecycleEventMessage"):
            type("Mine", (Message,), {"type_id": 2323})

    @pytest.mark.parametrize("type_id", [0, -1, "9001", True, 1.5])
    def test_have_a_number_for_a_type_id(self, type_id: object) -> None:
        with pytest.raises(TypeError, match="whole number"):
            type("Mine", (Message,), {"type_id": type_id})
