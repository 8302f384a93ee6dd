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
from aggregator.wire.namespaces import ALERT, clark
from aggregator.wire.parse import Element, Limits, parse, serialise

#: Bytes of an input, the data of a member twice among them: as it is, and as the rule found it.
LARGEST = 16 * 2**20
#: More than what is allowed for each of the documents that strangers sent into it.
_LIMITS = Limits(size=LARGEST, depth=250, nodes=2_000_000, namespaces=256)
#: The root, and what holds the data in it.
_ROOTS = {"actionInput": "inputMessage", "fire": "message"}
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
    leaves them out. ``document`` is all of the input as it came.
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
    """The alert of an input, in either form; AlertUnreadable where it is none."""
    try:
        root = parse(document, limits=_LIMITS)
    except MalformedRequest as error:
        raise AlertUnreadable(f"the input is no alert: {error}") from error
    around = etree.QName(root).localname
    if around not in _ROOTS:
        expected = " or ".join(f"<{name}>" for name in _ROOTS)
        raise AlertUnreadable(f"the input is <{around:.40}>; expected {expected}")
    # Only a child of the root is ours: deeper, there may be whatever a member was made to say.
    told = root.findall(clark(ALERT, "alert"))
    if len(told) != 1:
        raise AlertUnreadable(f"the input has {len(told)} elements {{{ALERT}}}alert; expected one")
    words = {str(name): str(value) for name, value in told[0].attrib.items()}
    return Alert(
        **_checked(words),
        attempt=_attempt(words.get("attempt", "1")),
        data=_content(root, _ROOTS[around], whole=True),
        result=_content(root, "xpathResult", whole=False),
        document=document,
    )


def _checked(words: Mapping[str, str]) -> dict[str, str]:
    if not _ID.fullmatch(words.get("id", "")):
        given = words.get("id", "")[:40]
        raise AlertUnreadable(f"the alert's id is {given!r}; expected 1 to 200 ASCII characters")
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
