"""What a metadata of the NMWG protocol says: event types, parameters, the ends of a path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aggregator.wire.nmwg_names import NMWG
from aggregator.wire.parse import Element, serialise, text_of

MESSAGE = f"{{{NMWG}}}message"
METADATA = f"{{{NMWG}}}metadata"
DATA = f"{{{NMWG}}}data"
KEY = f"{{{NMWG}}}key"
EVENT_TYPE = f"{{{NMWG}}}eventType"
PARAMETERS = f"{{{NMWG}}}parameters"
PARAMETER = f"{{{NMWG}}}parameter"
_DECLARED = re.compile(r' xmlns(:\w+)?="[^"]*"')


def value_of(parameter: Element) -> str:
    """A parameter's value: its text, or its attribute `value`."""
    return text_of(parameter) or parameter.get("value", "")


def setting_of(parameter: Element) -> str:
    """A setting's value as databases hand it over: an element in it, as a schedule's, is text."""
    inner = next(parameter.iterchildren("*"), None)
    if inner is None:
        return value_of(parameter)
    return _DECLARED.sub("", serialise(inner).decode())


def parameter_blocks(element: Element) -> Iterator[Element]:
    """The parameters of a metadata or key, of whatever namespace."""
    yield from element.iterchildren("{*}parameters")


def event_types(metadata: Element) -> list[str]:
    """The event types of a metadata in their order, those among its parameters after them."""
    found = [text_of(one) for one in metadata.iterchildren(EVENT_TYPE)]
    for block in parameter_blocks(metadata):
        for one in block.iterchildren("{*}parameter"):
            if one.get("name") in ("eventType", "supportedEventType"):
                found.append(value_of(one))
    return [one for one in found if one]


def ends_of(metadata: Element) -> Iterator[tuple[str, str]]:
    """The addresses that something was measured between, each with ``src`` or ``dst``."""
    for pair in metadata.iterdescendants("{*}endPointPair"):
        for end in pair.iterchildren("*"):
            local = str(end.tag).rpartition("}")[2]
            yield local, end.get("value", "") or text_of(end)
