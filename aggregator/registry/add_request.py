"""The parts of an Add as they came (WS-ServiceGroup 1.2, section 4.5; the draft's likewise)."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.errors import AddRefused
from aggregator.wire.dialects import FAMILIES
from aggregator.wire.namespaces import AGG, XSI, clark
from aggregator.wire.parse import Element, text_of
from aggregator.wire.times import parse_moment

CONFIG = clark(AGG, "AggregatorConfig")
#: Where the parts of an Add may be; some clients don't qualify them.
_NAMESPACES = frozenset({"", *(dialect.sg for dialect in FAMILIES)})
#: Characters of a refused member's address in the log.
_MOST_TOLD = 200


@dataclass(frozen=True, slots=True)
class AddRequest:
    """The three parts of an Add (WS-ServiceGroup 1.2, section 4.5) as elements."""

    member: Element
    content: Element | None
    termination: Element | None


def read_add(body: Element) -> AddRequest:
    """The parts of an Add element; raises AddRefused."""
    parts: dict[str, Element] = {}
    for child in body.iterchildren(tag="*"):
        namespace, _, name = str(child.tag).rpartition("}")
        if namespace[1:] not in _NAMESPACES:
            continue
        if name in parts:
            raise AddRefused(f"the Add holds {name} more than once")
        parts[name] = child
    member = parts.get("MemberEPR")
    if member is None:
        given = ", ".join(str(child.tag) for child in body.iterchildren(tag="*")) or "nothing"
        raise AddRefused(f"the Add has no MemberEPR; it holds {given[:200]}")
    termination = parts.get("InitialTerminationTime")
    return AddRequest(member, parts.get("Content"), termination)


def member_of(body: Element) -> str:
    """The address that a refused Add gives its member, as far as it can be told."""
    address = body.find("{*}MemberEPR/{*}Address")
    return "" if address is None else text_of(address)[:_MOST_TOLD]


def requested(element: Element | None, now: int) -> int | None:
    """The instant that InitialTerminationTime asks for, None for never; raises AddRefused."""
    if element is None or element.get(clark(XSI, "nil"), "").strip() in ("true", "1"):
        return None
    try:
        return parse_moment(text_of(element), now=now)
    except ValueError as error:
        raise AddRefused(f"InitialTerminationTime: {error}") from error


def config_of(content: Element | None) -> Element | None:
    """The AggregatorConfig in a Content, None where it has none; raises AddRefused."""
    found = [] if content is None else content.findall(CONFIG)
    if len(found) > 1:
        raise AddRefused(
            "the Content holds AggregatorConfig more than once; register the member once for each"
        )
    return found[0] if found else None
