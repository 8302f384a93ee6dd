"""A reply on its way: pieces of bytes, and the ids in it."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Mapping
from copy import deepcopy
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from aggregator.errors import NmwgError
from aggregator.wire.nmwg_names import NMWG, NMWGR
from aggregator.wire.parse import Element

_LEAST_ID, _GREATEST_ID = 1048576, 17825791
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">'
    "<SOAP-ENV:Header/><SOAP-ENV:Body>{}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)


class TimeIsUp(Exception):
    """Raised where a message takes longer than it may; the whole of it is given up."""


class AnswerTooLarge(NmwgError):
    """Raised where a reply outgrows what is sent."""


class Output:
    """The elements of one reply; `most` is in bytes, `deadline` of the monotonic clock."""

    def __init__(self, *, most: int = 2**62, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self._pieces: list[bytes] = []
        self._size = 0
        self._most = most
        self._ids: set[int] = set()
        self._troubles: set[str] = set()

    @property
    def pieces(self) -> list[bytes]:
        """What was added, in its order."""
        return self._pieces

    def mark(self) -> tuple[int, int]:
        """Where it is now."""
        return len(self._pieces), self._size

    def back_to(self, mark: tuple[int, int]) -> None:
        """Take away what was added since; an error comes in its place."""
        del self._pieces[mark[0] :]
        self._size = mark[1]

    def is_new_trouble(self, trouble: str) -> bool:
        """Whether this reply met it for the first time: thousands of pairs may meet the same."""
        is_new = trouble not in self._troubles
        self._troubles.add(trouble)
        return is_new

    def look_at_the_clock(self) -> None:
        """Raise TimeIsUp past `deadline`."""
        if time.monotonic() > self.deadline:
            raise TimeIsUp

    def add(self, piece: bytes) -> None:
        """Add what is written already; raises NmwgError past `most`, TimeIsUp past `deadline`."""
        self.look_at_the_clock()
        self._size += len(piece)
        if self._size > self._most:
            raise AnswerTooLarge(
                "error.ma.storage",
                f"The answer would have more than {self._most} bytes; ask for a shorter time.",
            )
        self._pieces.append(piece)

    def new_id(self) -> int:
        """A number that no other id of this reply has."""
        while True:
            number = random.randint(_LEAST_ID, _GREATEST_ID)
            if number not in self._ids or len(self._ids) > _GREATEST_ID // 2:
                self._ids.add(number)
                return number

    def metadata(self, content: Iterable[Element], reference: str) -> str:
        """Add a metadata with copies of these elements; its id."""
        identifier = f"metadata.{self.new_id()}"
        inner = b"".join(written(one) for one in content)
        self.add(
            f"<nmwg:metadata{_attributes(id=identifier, metadataIdRef=reference)}>".encode()
            + inner
            + b"</nmwg:metadata>"
        )
        return identifier

    def element(self, element: Element) -> None:
        """Add a copy of an element."""
        self.add(written(element))

    def data(self, reference: str, inner: Iterable[bytes]) -> None:
        """Add a data element that belongs to a metadata of the reply."""
        identifier = f"data.{self.new_id()}"
        self.add(f"<nmwg:data{_attributes(id=identifier, metadataIdRef=reference)}>".encode())
        for piece in inner:
            self.add(piece)
        self.add(b"</nmwg:data>")

    def result(self, event_type: str, text: str, reference: str) -> None:
        """Add a result code: a metadata that says which, and a data element with its text."""
        identifier = f"metadata.{self.new_id()}"
        self.add(
            f"<nmwg:metadata{_attributes(id=identifier, metadataIdRef=reference)}>"
            f"<nmwg:eventType>{clean(event_type)}</nmwg:eventType></nmwg:metadata>".encode()
        )
        self.data(identifier, [result_datum(text)])


def result_datum(text: str) -> bytes:
    """A datum of text, such as an error's."""
    return f'<nmwgr:datum xmlns:nmwgr="{NMWGR}">{clean(text)}</nmwgr:datum>'.encode()


def written(element: Element) -> bytes:
    """An element as a part of a reply: with the namespaces it needs, without space between tags."""
    copied = deepcopy(element)
    copied.tail = None
    etree.cleanup_namespaces(copied)
    return etree.tostring(copied, encoding="UTF-8")


def message(output: Output, *, type: str, reference: str) -> bytes:
    """The whole reply, in its SOAP envelope."""
    attributes = _attributes(type=type, id=f"message.{output.new_id()}", messageIdRef=reference)
    opening = f'<nmwg:message xmlns:nmwg="{NMWG}"{attributes}>'.encode()
    before, after = _ENVELOPE.split("{}")
    return b"".join([before.encode(), opening, *output.pieces, b"</nmwg:message>", after.encode()])


def error_message(error: NmwgError, *, reference: str = "") -> bytes:
    """The reply to what was understood as no message: of type ErrorResponse."""
    output = Output()
    output.result(error.event_type, str(error), reference)
    return message(output, type="ErrorResponse", reference=reference)


def clean(text: str) -> str:
    """Text as XML takes it; characters that it has no place for are question marks."""
    return escape("".join(one if _is_char(one) else "?" for one in text))


def _is_char(one: str) -> bool:
    return (
        one in "\t\n\r"
        or (" " <= one <= "\ufffd" and not "\ud800" <= one <= "\udfff")
        or (one > "\uffff")
    )


def _attributes(**given: str) -> str:
    return attributes_of({name: value for name, value in given.items() if value})


def attributes_of(given: Mapping[str, str]) -> str:
    """Attributes as they are written in a tag."""
    return "".join(f" {name}={quoteattr(value)}" for name, value in given.items())
