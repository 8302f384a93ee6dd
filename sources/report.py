"""Collect what a node reports: ReportType."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from aggregator.contract import (
    AggregatorSource,
    Collected,
    ConfigBlock,
    Context,
    Group,
    SourceType,
)
from aggregator.errors import CollectError, ConfigError, MalformedRequest
from aggregator.model import Plan
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.parse import Element, Limits, parse, serialise, text_of

from ._block import only_child

NAME = "ReportAggregatorSource"
BLOCK = clark(AGG, "ReportType")
NAMESPACE = "urn:mds-aggregator:reports"
#: Milliseconds until the address is looked for again, where there was none, and seconds where it
#: is there: nothing has to be done then.
_UPKEEP, _PAUSE = 1000, 3600.0
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
#: What a node reports was within its own limit of bytes when it came.
_LIMITS = Limits(size=2**30)


class ReportAggregatorSource(AggregatorSource):
    """Takes what a node reports of one type as content of the entry.

    An address is opened inside of the Add, so that no report is missed that comes after its answer.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read the block: whose reports, and of what type."""
        data = {
            "node": _name(block.element, "Node", _NODE, "the name of a node such as node7"),
            "type": _name(block.element, "Type", _TYPE, "a type of reports such as FileOutput"),
        }
        return Plan(NAME, 0, data, upkeep=_UPKEEP)

    async def establish(self, plan: Plan, *, context: Context) -> Mapping[str, str]:
        """Follow the node."""
        wanted = str(plan.data["node"]), str(plan.data["type"])
        address = await context.consumers.open(report=wanted)
        return {"consumer": context.consumers.mark(address)}

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """See that the node is followed; reports come by themselves."""
        if "consumer" not in context.memory:
            raise CollectError("the node is not followed", code="not-followed")
        return Collected(None, again=_PAUSE)

    async def receive(self, plan: Plan, message: bytes, *, context: Context) -> Collected:
        """Take a report."""
        line, _, data = message.partition(b"\n")
        return Collected((_element(json.loads(line), data),))

    async def release(self, plan: Plan, *, context: Context) -> None:
        """Follow it no more."""
        if mark := context.memory.get("consumer", ""):
            await context.consumers.close(mark)


def _name(block: Element, name: str, form: re.Pattern[str], expected: str) -> str:
    text = text_of(only_child(block, name)).strip()
    if not form.fullmatch(text):
        raise ConfigError(f"{text[:60]!r} is not {expected}", element=name)
    return text


def _element(said: Mapping[str, Any], data: bytes) -> bytes:
    """What is published of a report: itself where it is XML, else a Report that holds its text, or
    its bytes in base64."""
    if data.lstrip()[:1] == b"<":
        try:
            return serialise(parse(data, limits=_LIMITS))
        except MalformedRequest:
            pass  # What only looks like it is a text like any other.
    spaces: Any = {None: NAMESPACE}
    root = etree.Element(clark(NAMESPACE, "Report"), nsmap=spaces)
    for name in ("node", "type", "id", "contentType"):
        root.set(name, str(said[name]))
    try:
        root.text = data.decode()
        root.set("encoding", "text")
    except ValueError:
        # Neither text at all, nor with characters that XML has none for.
        root.text = base64.b64encode(data).decode()
        root.set("encoding", "base64")
    return serialise(root)


PLUGIN = SourceType(NAME, (BLOCK,), ReportAggregatorSource())
