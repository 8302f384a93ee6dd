"""The alert that an action is given on standard input, read within limits.

GT 4.0.5 and 4.1 wrote ``<actionInput>`` with ``inputMessage``, ``xpathResult``, ``MemberEPR`` and
``AggregatorConfig``, GT 4.0 ``<fire>`` with ``message``, ``MemberEPR`` and ``AggregatorConfig``.
Either ends with an element of ours, ``alert``. All but that was written by strangers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from lxml import etree

from aggregator.errors import AlertUnreadable, MalformedRequest
from aggregator.wire.namespaces import TRIGGER_MORE, clark
from aggregator.wire.parse import Element, Limits, parse, serialise

#: Bytes of an input: the data of a member twice, as it is, and as the rule found it.
LARGEST = 64 * 2**20
#: What is read as a whole; of more, only the alert itself. It may be deeper and have more
#: namespaces than what strangers may send, which stands within it.
_LIMITS = Limits(size=8 * 2**20, depth=250, nodes=1_000_000, namespaces=512)
#: The alert at the end of a document: nothing that strangers wrote is followed by the end alone.
_TAIL = re.compile(rb"""(<alert\s(?:[^<>"']|"[^<"]*"|'[^<']*')*/>)\s*</(?:actionInput|fire)>\s*""")
#: The root, and what holds the data in it.
_ROOTS = {"actionInput": "inputMessage", "fire": "message"}
_ALERT = clark(TRIGGER_MORE, "alert")
_STATES = ("fired", "recovered")
#: What may be told as it is, in the header of a message too.
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that fired for an entry, or no longer holds: ``state`` is fired or recovered.

    ``id`` is the same at every attempt. ``since`` (the condition is true since then) and ``at``
    (it fired, or ceased to hold) are xsd:dateTime. ``data`` is what was collected, in the element
    that the input has it in, ``result`` what the rule found in it; both are empty where the rule
    leaves them out, or where the input can't be read as a whole; ``data_bytes`` tells how large the
    data is, or else the input. ``document`` is all of the input as it came.
    """

    id: str
    state: str
    rule: str
    trigger: str
    group: str
    entry: str
    member: str
    matching_rule: str
    since: str
    at: str
    attempt: int
    data: str
    data_bytes: int
    result: str
    document: bytes

    @property
    def key(self) -> str:
        """What a receiver knows it by: the same at every attempt, and no other's.

        The end of an alert may have the id of its beginning, which is not to be taken for it.
        """
        return self.id if self.state == "fired" else f"{self.id}.{self.state}"


def read_input(stream: BinaryIO) -> bytes:
    """All that there is to read; AlertUnreadable where it is more than an alert may be."""
    document = stream.read(LARGEST + 1)
    if len(document) > LARGEST:
        raise AlertUnreadable(f"the input has more than {LARGEST} bytes; at most that is read")
    return document


def read_alert(document: bytes) -> Alert:
    """The alert of an input, in either form; AlertUnreadable where it is none.

    An alert is told even where a member's data is too large, or too deep, to be read with it.
    """
    if len(document) > _LIMITS.size or _nodes(document) > _LIMITS.nodes:
        return _without_data(document, why=f"it has {len(document)} bytes")
    try:
        root = parse(document, limits=_LIMITS)
    except MalformedRequest as error:
        return _without_data(document, why=str(error))
    around = etree.QName(root).localname
    if around not in _ROOTS:
        expected = " or ".join(f"<{name}>" for name in _ROOTS)
        raise AlertUnreadable(f"the input is <{around:.40}>; expected {expected}")
    # Only a child of the root is ours: deeper, there may be whatever a member was made to say.
    told = root.findall(_ALERT)
    if len(told) != 1:
        raise AlertUnreadable(f"the input has {len(told)} elements {_ALERT}; expected one")
    data = _content(root, _ROOTS[around], whole=True)
    return _alert(
        told[0],
        data=data,
        data_bytes=len(data.encode()),
        result=_content(root, "xpathResult", whole=False),
        document=document,
    )


def _nodes(document: bytes) -> int:
    """As many nodes as there may be, told before a tree of them takes the memory."""
    return document.count(b"<") + document.count(b"=")


def _without_data(document: bytes, *, why: str) -> Alert:
    start = document.rfind(b"<alert")
    found = _TAIL.fullmatch(document, start) if start >= 0 else None
    try:
        element = parse(found[1]) if found else None
    except MalformedRequest:
        element = None
    if element is None or element.tag != _ALERT:
        raise AlertUnreadable(f"the input is no alert, nor ends with one: {why}")
    return _alert(element, data="", data_bytes=len(document), result="", document=document)


def _alert(element: Element, *, data: str, data_bytes: int, result: str, document: bytes) -> Alert:
    words = {str(name): str(value) for name, value in element.attrib.items()}
    return Alert(
        **_checked(words),
        attempt=_attempt(words.get("attempt", "1")),
        data=data,
        data_bytes=data_bytes,
        result=result,
        document=document,
    )


def _checked(words: Mapping[str, str]) -> dict[str, str]:
    if not _ID.fullmatch(words.get("id", "")):
        given = words.get("id", "")[:40]
        expected = "1 to 200 characters of ASCII that are no space"
        raise AlertUnreadable(f"the alert's id is {given!r}; expected {expected}")
    if words.get("state") not in _STATES:
        given = words.get("state", "")[:40]
        raise AlertUnreadable(f"the alert's state is {given!r}; expected {' or '.join(_STATES)}")
    names = ("id", "state", "rule", "trigger", "group", "entry", "member", "since", "at")
    found = {name: words.get(name, "") for name in names}
    return {**found, "matching_rule": words.get("matchingRule", "")}


def _attempt(word: str) -> int:
    if not _ATTEMPT.fullmatch(word):
        raise AlertUnreadable(f"the alert's attempt is {word[:40]!r}; expected a number from 1 on")
    return int(word)


def _content(root: Element, name: str, *, whole: bool) -> str:
    """A child of the root by its local name, with its tags or without; empty where there is none.

    The first is taken: what strangers wrote may repeat it only further in.
    """
    found = root.find(f"{{*}}{name}")
    if found is None:
        return ""
    if whole:
        return serialise(found).decode()
    pieces = [found.text or ""]
    for child in found:
        pieces += [serialise(child).decode(), child.tail or ""]
    return "".join(pieces).strip()
