"""Messages: typed, versioned, mutable; the one that every event is, and those it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import EnumMeta, IntEnum
from types import MappingProxyType
from typing import Any, ClassVar

from aggregator.events.fields import DoubleField, EnumField, Field, LinkField, TextField, offered

#: Classes by the id of their type: what arrives names it, and is read as that class.
_TYPES: dict[int, type[Message]] = {}
_OURS = "aggregator.events."


def _enter(cls: type[Message]) -> None:
    if isinstance(cls.type_id, bool) or not isinstance(cls.type_id, int) or cls.type_id < 1:
        raise TypeError(f"{cls.__name__}.type_id must be a whole number from 1 on")
    known = _TYPES.get(cls.type_id)
    if known is not None and known.__module__.startswith(_OURS):
        raise ValueError(
            f"{cls.__name__}: the type id {cls.type_id} is that of {known.__name__} already"
        )
    _TYPES[cls.type_id] = cls


class Message:
    """A message with the fields that its class declares; nothing else can be assigned to it.

    A class of one's own names a `type_id` that no other has, and its fields::

        class CompassEventMessage(Message):
            type_id = 9001

            class Direction(IntEnum):
                NORTH = 1
                SOUTH = 2

            direction = EnumField(Direction)

    It is then read by every process that has loaded the class; others are given an
    UnknownMessage. `type_version` grows when fields change their meaning.
    """

    type_id: ClassVar[int] = 0
    type_version: ClassVar[int] = 1
    FIELDS: ClassVar[Mapping[str, Field[Any]]] = MappingProxyType({})
    #: The values of those fields that were assigned, by name.
    assigned: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = {name: one for name, one in vars(cls).items() if isinstance(one, Field)}
        cls.FIELDS = MappingProxyType({**cls.FIELDS, **declared})
        if "type_id" in vars(cls):
            _enter(cls)

    def __init__(self, **values: Any) -> None:
        self.__dict__["assigned"] = {}
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.FIELDS:
            raise AttributeError(self._refusal(name))
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        mine, theirs = (_without_empty(one.assigned) for one in (self, other))
        return self.type_id == other.type_id and mine == theirs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.assigned.items())
        return f"{type(self).__name__}({values})"

    def is_set(self, name: str) -> bool:
        """Whether the field was assigned."""
        return bool(self.assigned.get(name, []) != [])

    def _refusal(self, name: str) -> str:
        return f"{type(self).__name__} has no field {name!r}; {offered(name, self.FIELDS)}"


class EventMessage(Message):
    """What every event is on the wire; `additional_data` tells what is special to its kind.

    Names that it lacks are looked for in `additional_data`, when read and when assigned:
    ``event.state = event.State.ACTIVE`` is ``event.additional_data.state = ...``. `datetime` is
    in seconds since 1970 UTC, by the clock of who made the event.
    """

    type_id = 2322

    class Status(IntEnum):
        """How far what the event is about has come."""

        IN_PROGRESS = 1
        CACHED = 2
        ERROR = 3
        NO_CACHE = 4

    data_resource_id = TextField()
    name = TextField()
    status = EnumField(Status)
    description = TextField()
    datetime = DoubleField()
    origin = TextField()
    body = TextField()
    user_id = TextField()
    additional_data = LinkField()

    def __getattr__(self, name: str) -> Any:
        additional = self.__dict__.get("assigned", {}).get("additional_data")
        if isinstance(additional, Message) and not name.startswith("_"):
            if name in additional.FIELDS:
                return getattr(additional, name)
            enum = getattr(type(additional), name, None)
            if isinstance(enum, EnumMeta):
                return enum
        raise AttributeError(self._refusal(name))

    def __setattr__(self, name: str, value: Any) -> None:
        additional = self.assigned.get("additional_data")
        if name not in self.FIELDS and isinstance(additional, Message):
            if name not in additional.FIELDS:
                raise AttributeError(f"{self._refusal(name)}. {additional._refusal(name)}")
            setattr(additional, name, value)
            return
        super().__setattr__(name, value)


@dataclass(frozen=True, slots=True)
class UnknownEnum:
    """A member of an enum whose class is not loaded here."""

    number: int
    name: str


class UnknownMessage(Message):
    """A message of a type that is not loaded here; its fields are read, and can't be assigned.

    Enums are of UnknownEnum. It is sent on as it came.
    """

    def __init__(
        self, type_id: int, *, type_version: int, name: str, values: dict[str, Any]
    ) -> None:
        self.__dict__.update(type_id=type_id, type_version=type_version, type_name=name)
        self.__dict__["assigned"] = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["assigned"][name]
        except KeyError:
            raise AttributeError(f"the message has no field {name!r}") from None


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message that is none of ours: `body` are its bytes as they came.

    `type_id` is what the sender named as the id of its type, None where it named none. The data
    sets of event 1116 arrive so, as messages of the types 10001, 2001 and 2005.
    """

    body: bytes
    type_id: int | None = None
    content_type: str = "application/octet-stream"


def message_type(type_id: int) -> type[Message] | None:
    """The class of the messages of this type, None where none was loaded."""
    return _TYPES.get(type_id)


def type_name(message: Message) -> str:
    """The name of the message's type, as it is sent along for human readers."""
    return str(message.__dict__.get("type_name", type(message).__name__))


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without lists that were read and never filled: an empty one is as good as none."""
    return {name: value for name, value in values.items() if value != []}
