"""What both formats say of a message: its type and its values, each of which names its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: The version of the documents; a reader refuses later ones.
VERSION = 1
#: How deep messages may be linked.
DEEPEST = 16


@dataclass(frozen=True, slots=True)
class EnumNode:
    """A member of an enum: the number tells which, the name is for people."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class MessageNode:
    """A message; values are texts, floats, integers, lists of texts, enums and messages."""

    type_id: int
    type_version: int
    name: str
    values: dict[str, Any]
