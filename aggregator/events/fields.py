"""The fields of messages: what each may hold, checked when it is assigned."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable, Sequence
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from aggregator.errors import EventValueUnknown

if TYPE_CHECKING:
    from aggregator.events.messages import Message

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)


class Field(Generic[T]):
    """A field of a message; it reads as None until it was assigned, and None takes it back.

    A wrong type raises TypeError, a value that the type does not have ValueError.
    """

    #: What the field holds, for messages and for the documentation.
    holds = "anything"

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, message: None, owner: Any = None) -> Self: ...

    @overload
    def __get__(self, message: Message, owner: Any = None) -> T: ...

    def __get__(self, message: Message | None, owner: Any = None) -> Any:
        return self if message is None else message.assigned.get(self.name)

    def __set__(self, message: Message, value: object) -> None:
        if value is None:
            message.assigned.pop(self.name, None)
        else:
            message.assigned[self.name] = self.checked(value)

    def __delete__(self, message: Message) -> None:
        message.assigned.pop(self.name, None)

    def checked(self, value: object) -> Any:
        """The value as the field holds it; raises TypeError or ValueError."""
        raise NotImplementedError

    def _wrong_type(self, value: object) -> TypeError:
        given = f"{type(value).__name__} {value!r:.60}"
        return TypeError(f"{self.name} holds {self.holds}; given was {given}")


class TextField(Field[str | None]):
    """Holds a text."""

    holds = "a text"

    def checked(self, value: object) -> str:
        """The text; surrogates that stand alone are no characters that could be sent."""
        if not isinstance(value, str):
            raise self._wrong_type(value)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{self.name}: {value!r:.60} has what is no character") from error
        return str(value)


class DoubleField(Field[float | None]):
    """Holds a number with a fraction, as 64 bits do."""

    holds = "a number"

    def checked(self, value: object) -> float:
        """The number; whole ones are taken too."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise self._wrong_type(value)
        try:
            return float(value)
        except OverflowError as error:
            raise ValueError(f"{self.name}: {value!r:.60} is too large for a double") from error


class IntegerField(Field[int | None]):
    """Holds a whole number of so many bits, one of them for the sign."""

    def __init__(self, bits: int = 64) -> None:
        self._bound = 1 << (bits - 1)
        self.holds = f"a whole number of {bits} bits"

    def checked(self, value: object) -> int:
        """The number."""
        if isinstance(value, bool | Enum) or not isinstance(value, numbers.Integral):
            raise self._wrong_type(value)
        if not -self._bound <= int(value) < self._bound:
            raise ValueError(f"{self.name} holds {self.holds}; {value} is beyond that")
        return int(value)


class EnumField(Field[E | None]):
    """Holds a member of an enum; its number and its name are taken too."""

    def __init__(self, enum: type[E]) -> None:
        self.enum = enum
        self.holds = f"one of {', '.join(enum.__members__)}"

    def checked(self, value: object) -> E:
        """The member; EventValueUnknown for a name or number that the enum does not have."""
        if isinstance(value, self.enum):
            return value
        if isinstance(value, str):
            return self._named(value)
        if isinstance(value, bool | Enum) or not isinstance(value, numbers.Integral):
            raise self._wrong_type(value)
        try:
            return self.enum(int(value))
        except ValueError:
            numbered = ", ".join(f"{int(one)} {one.name}" for one in self.enum)
            raise EventValueUnknown(f"{self.name} has no {value}; it has {numbered}") from None

    def _named(self, name: str) -> E:
        found = self.enum.__members__.get(name)
        if found is None:
            raise EventValueUnknown(
                f"{self.name} has no {name!r}; {offered(name, self.enum.__members__)}"
            )
        return found


class LinkField(Field[Any]):
    """Holds another message."""

    holds = "a message"

    def checked(self, value: object) -> Message:
        """The message itself, no copy."""
        # Messages have fields, so they can't be known here before both are defined.
        if not hasattr(type(value), "type_id") or not hasattr(value, "assigned"):
            raise self._wrong_type(value)
        return value  # type: ignore[return-value]


class TextListField(Field[list[str]]):
    """Holds texts in their order; reads as an empty list until it was assigned."""

    holds = "a list of texts"

    def __get__(self, message: Message | None, owner: Any = None) -> Any:
        if message is None:
            return self
        # The list is kept, so that what is appended to it is part of the message.
        return message.assigned.setdefault(self.name, [])

    def checked(self, value: object) -> list[str]:
        """A list of the texts."""
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise self._wrong_type(value)
        if not all(isinstance(one, str) for one in value):
            raise self._wrong_type(value)
        return list(value)


def offered(name: str, known: Iterable[str]) -> str:
    """The end of a refusal: the closest name that there is, else all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    near = near or [one for one in names if one.lower() == name.lower()]
    return f"did you mean {near[0]}?" if near else f"it has {', '.join(names) or 'none'}"
