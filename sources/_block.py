"""What the shipped sources read alike from their blocks: children, interval, member's address."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aggregator.contract import ConfigBlock, Group
from aggregator.errors import ConfigError
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.parse import Element, text_of

_WHOLE = re.compile(r"\+?\d+", re.ASCII)
#: Neither spaces nor control characters nor what no URI may hold unescaped (RFC 3986).
_PLAIN = re.compile(r'[^\x00-\x20\x7f<>"\\^`{|}]+')


def children(block: Element, name: str) -> list[Element]:
    """The children of a block with that local name.

    Written prefixed in the aggregator's namespace or without a prefix, as MDS4's own documents
    show both.
    """
    wanted = clark(AGG, name)
    return [
        child
        for child in block.iterchildren(tag="*")
        if child.tag == wanted or (not child.prefix and str(child.tag).rpartition("}")[2] == name)
    ]


def only_child(block: Element, name: str) -> Element:
    """The one child of that name; raises ConfigError where there is none or more than one."""
    found = children(block, name)
    if len(found) != 1:
        given = f"given {len(found)} times" if found else "missing"
        raise ConfigError(f"{given}; {_local(block)} needs exactly one", element=name)
    return found[0]


def read_interval(block: Element, *, group: Group) -> int:
    """PollIntervalMillis; raises ConfigError unless it is a whole number the group takes."""
    text = text_of(only_child(block, "PollIntervalMillis"))
    interval = int(text) if _WHOLE.fullmatch(text) and len(text) < 20 else 0
    if interval <= 0:
        raise ConfigError(
            f"{text[:40]!r} is no positive whole number of milliseconds",
            element="PollIntervalMillis",
        )
    if interval < group.min_interval:
        raise ConfigError(
            f"{interval} is under the {group.min_interval} ms that {group.name} takes at least",
            element="PollIntervalMillis",
        )
    return interval


def read_address(block: ConfigBlock) -> str:
    """The member's address; raises ConfigError unless it is a plain http or https one."""
    address = block.member.address
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = _PLAIN.fullmatch(address) is not None and port != 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ConfigError(
            f"the Address {address[:200]!r} can't be collected from; {_local(block.element)} "
            "needs a http or https address",
            element="MemberEPR",
        )
    return address


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
