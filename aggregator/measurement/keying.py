"""Keys in requests and replies: short names of stored metadata, with a request's times in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy

from lxml import etree

from aggregator.errors import NmwgError
from aggregator.measurement.chains import Filter
from aggregator.measurement.selecting import TimeSettings
from aggregator.wire.nmwg_metadata import KEY, PARAMETER, PARAMETERS, parameter_blocks, value_of
from aggregator.wire.nmwg_names import NMWG, SELECT
from aggregator.wire.parse import Element

_ERROR = "error.ma.storage_result"
_SELECT_PARAMETERS = f"{{{SELECT}}}parameters"


def key_of(metadata: Element) -> Element | None:
    """The key that a request's metadata holds."""
    return metadata.find(KEY)


def asked_key(key: Element) -> str:
    """The maKey in a key; raises NmwgError where there is none."""
    for block in parameter_blocks(key):
        for one in block.iterchildren("{*}parameter"):
            if one.get("name") == "maKey" and value_of(one):
                return value_of(one)
    raise no_key()


def no_key() -> NmwgError:
    """What is said of a request by key that has none."""
    return key_error("Key error in metadata storage: cannot find 'maKey' in request message.")


def key_error(text: str) -> NmwgError:
    """What is wrong with a key."""
    return NmwgError(_ERROR, text)


def cooked(key: Element, filters: Iterable[Filter]) -> Element:
    """A copy of a key with the parameters of filters: each in place of that of its name."""
    found = deepcopy(key)
    block = next(parameter_blocks(found), None)
    if block is None:
        block = etree.SubElement(found, PARAMETERS)
    add_select_parameters(block, filters)
    return found


def add_select_parameters(block: Element, filters: Iterable[Filter]) -> None:
    """Put the parameters of filters into a key's block of parameters."""
    # A look through all of them for each would take minutes for some ten thousand.
    known: dict[str | None, Element] = {}
    for child in block.iterchildren("*"):
        known.setdefault(child.get("name"), child)
    for one in filters:
        for parameter in _selected(one.metadata):
            name = parameter.get("name")
            if name in known:
                block.replace(known[name], parameter)
            else:
                block.append(parameter)
            known[name] = parameter


def _selected(metadata: Element) -> Iterator[Element]:
    for block in metadata.iterchildren(_SELECT_PARAMETERS):
        for one in block.iterchildren("{*}parameter"):
            copied = deepcopy(one)
            copied.tail = None
            yield copied


def key_for(ma_key: str, times: TimeSettings) -> Element:
    """A key as a reply to a MetadataKeyRequest holds it, with the times as they were asked for."""
    key = etree.Element(KEY, nsmap={"nmwg": NMWG})
    block = etree.SubElement(key, PARAMETERS, {"id": "params.0"})
    _add(block, "maKey", ma_key)
    for name, bound in (("startTime", times.start), ("endTime", times.end)):
        if bound is not None:
            _add(block, name, bound.text, bound.type)
    if times.resolution:
        _add(block, "resolution", str(times.resolution))
    if times.consolidation:
        _add(block, "consolidationFunction", times.consolidation)
    return key


def _add(block: Element, name: str, value: str, type: str = "") -> None:
    one = etree.SubElement(block, PARAMETER, {"name": name})
    if type:
        one.set("type", type)
    one.text = value
