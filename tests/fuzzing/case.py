"""One request that is sent, with what is known of it beforehand; it can be kept and sent again."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Literal

Framing = Literal["length", "chunked", "short", "long", "none", "raw"]

#: Stand for the keys of the entries that the stage keeps; as long as keys are.
STANDING_KEYS = ("f" * 31 + "1", "f" * 31 + "2")


@dataclass(frozen=True, slots=True)
class Case:
    """A request.

    ``soap`` is the namespace of the envelope that was written and ``family`` its dialect, both
    empty where bytes were spoilt so that nobody can say. ``content`` and ``target`` may hold
    `STANDING_KEYS`. ``framing`` says how the body is announced: by its length, a length that is
    too short or too long, as chunks, not at all, or (``raw``) `content` is all that is sent.
    """

    kind: str
    content: bytes
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    soap: str = ""
    family: str = ""
    method: str = "POST"
    framing: Framing = "length"

    @property
    def is_intact(self) -> bool:
        """Whether the message is what its strategy wrote."""
        return bool(self.soap)

    def to_json(self) -> str:
        """The case as text, to be kept."""
        fields = asdict(self)
        fields["content"] = base64.b64encode(self.content).decode()
        return json.dumps(fields, indent=1)

    @staticmethod
    def from_json(text: str) -> Case:
        """The case that was kept."""
        fields = json.loads(text)
        fields["content"] = base64.b64decode(fields["content"])
        fields["headers"] = tuple((name, value) for name, value in fields["headers"])
        return Case(**fields)
