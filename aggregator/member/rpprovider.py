"""MDS4's resource property provider files (rpprovider.xsd, namespace rpprovider/2005/08)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from aggregator.errors import ConfigError, MalformedRequest
from aggregator.member import java_names
from aggregator.member.findings import Findings
from aggregator.member.names import refusal_of_name
from aggregator.member.settings import ProducerSettings, Transform
from aggregator.wire.namespaces import RPPROVIDER, clark
from aggregator.wire.parse import Element, parse, text_of
from aggregator.wire.qnames import read_qname

ROOT = clark(RPPROVIDER, "ResourcePropertyProviderConfigArray")
#: Releases 4.0 and 4.2 of the toolkit name the items of the array differently.
_ITEMS = ("configArray", "resourcePropertyProviderConfiguration")
_PROPERTY_CHILDREN = (
    "resourcePropertyName",
    "resourcePropertyImpl",
    "resourcePropertyElementProducers",
)
_PRODUCER_CHILDREN = ("className", "arguments", "transformClass", "transformArguments", "period")
_LONGEST_PERIOD = 366 * 86_400
#: MDS4 had no timeout at all; scheduler providers take their time.
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class _Refused(Exception):
    """Raised inside this module for an element that can't be used."""

    element: Element
    text: str


class RpproviderReader:
    """Reads one rpprovider file; what is wrong with it goes to `findings`.

    Relative file names start from `$GLOBUS_LOCATION` where that is set, else from the file's
    folder. A producer whose first run fails is cancelled, as MDS4 did.
    """

    def __init__(self, findings: Findings, *, environ: Mapping[str, str] = os.environ) -> None:
        self._findings = findings
        base = environ.get("GLOBUS_LOCATION") or str(findings.file.absolute().parent)
        self._base = Path(base)

    def read(self, content: bytes) -> list[ProducerSettings]:
        """The producers of all properties in the file, in its order."""
        try:
            root = parse(content)
        except MalformedRequest as error:
            self._findings.add(str(error))
            return []
        if root.tag != ROOT:
            self._findings.add(f"the root element is {root.tag}, not {ROOT}", line=_line(root))
            return []
        producers: list[ProducerSettings] = []
        for item in root.iterchildren(tag="*"):
            self._take(item, producers)
        return producers

    def _take(self, item: Element, producers: list[ProducerSettings]) -> None:
        try:
            if _local(item) not in _ITEMS:
                raise _Refused(item, f"expected one of {', '.join(_ITEMS)}")
            children = _children(item, _PROPERTY_CHILDREN)
            name = _property_name(item, children["resourcePropertyName"])
            for implementation in children["resourcePropertyImpl"]:
                _check_implementation(implementation)
        except _Refused as refused:
            self._findings.add(_told(refused), line=_line(refused.element))
            return
        for block in children["resourcePropertyElementProducers"]:
            try:
                producers.append(self._producer(block, name))
            except _Refused as refused:
                self._findings.add(_told(refused), line=_line(refused.element))

    def _producer(self, block: Element, name: str) -> ProducerSettings:
        children = _children(block, _PRODUCER_CHILDREN)
        element = _only(block, children, "className")
        arguments = [text_of(argument) for argument in children["arguments"]]
        try:
            origin = java_names.origin(text_of(element), arguments, base=self._base)
        except ConfigError as error:
            raise _Refused(element, str(error)) from error
        made = ProducerSettings(name, origin, timeout=_TIMEOUT, first_failure="cancel")
        period, transform = _period(children["period"]), self._transform(children)
        return replace(made, period=period, transform=transform)

    def _transform(self, children: Mapping[str, Sequence[Element]]) -> Transform | None:
        if not children["transformClass"] or not text_of(children["transformClass"][0]):
            return None
        element = children["transformClass"][0]
        arguments = [text_of(argument) for argument in children["transformArguments"]]
        try:
            return java_names.transform(text_of(element), arguments, base=self._base)
        except ConfigError as error:
            raise _Refused(element, str(error)) from error


def _children(parent: Element, names: Sequence[str]) -> dict[str, list[Element]]:
    found: dict[str, list[Element]] = {name: [] for name in names}
    for child in parent.iterchildren(tag="*"):
        name = _local(child)
        if name not in found:
            raise _Refused(child, f"expected one of {', '.join(names)}")
        found[name].append(child)
    return found


def _only(parent: Element, children: Mapping[str, Sequence[Element]], name: str) -> Element:
    if len(children[name]) != 1:
        raise _Refused(parent, f"has {len(children[name])} elements {name}; expected one")
    return children[name][0]


def _property_name(item: Element, elements: Sequence[Element]) -> str:
    element = _only(item, {"resourcePropertyName": elements}, "resourcePropertyName")
    try:
        name = read_qname(element)
    except ConfigError as error:
        raise _Refused(element, error.message) from error
    if refusal := refusal_of_name(name):
        raise _Refused(element, refusal)
    return name


def _check_implementation(element: Element) -> None:
    try:
        java_names.check_implementation(text_of(element))
    except ConfigError as error:
        raise _Refused(element, str(error)) from error


def _period(elements: Sequence[Element]) -> float:
    if not elements:
        return 0.0
    text = text_of(elements[0])
    if not (text.isascii() and text.isdigit()) or int(text) > _LONGEST_PERIOD:
        raise _Refused(
            elements[0], f"{text[:40]!r} is not a whole number of seconds up to {_LONGEST_PERIOD}"
        )
    return float(text)


def _local(element: Element) -> str:
    """The local name of an element of the format's namespace, its whole name for any other."""
    return str(element.tag).removeprefix(f"{{{RPPROVIDER}}}")


def _line(element: Element) -> int | None:
    return cast("int | None", element.sourceline)


def _told(refused: _Refused) -> str:
    return f"{_local(refused.element)}: {refused.text}"
