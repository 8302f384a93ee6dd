"""The metadata store, built from what the databases of measurements hold."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lxml import etree

from aggregator.errors import MalformedRequest
from aggregator.store.measured_values import Kind, MeasuredTest
from aggregator.wire.nmwg_metadata import DATA, EVENT_TYPE, KEY, METADATA, PARAMETER, PARAMETERS
from aggregator.wire.nmwg_names import (
    ACHIEVABLE_EVENT,
    BUCKETS_EVENT,
    IPERF,
    IPERF_EVENT,
    NMWG,
    NMWGT,
    OWAMP,
    OWAMP_EVENT,
    SUMMARY_EVENT,
)
from aggregator.wire.parse import Element, parse

STORE = f"{{{NMWG}}}store"
_SUBJECTS = {"bwctl": ("iperf", IPERF), "owamp": ("owamp", OWAMP)}
#: Delays are stored twice: as summaries, and with their histograms.
_EVENT_TYPES: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "bwctl": ((IPERF_EVENT, ACHIEVABLE_EVENT),),
    "owamp": ((OWAMP_EVENT, SUMMARY_EVENT), (BUCKETS_EVENT,)),
}


class FromDatabase(NamedTuple):
    """A test, and the database that holds its measurements: its type and its name in the store."""

    test: MeasuredTest
    type: str
    database: str


def build(found: Iterable[FromDatabase]) -> Element:
    """The store of these tests, an nmwg:store; ids count from 0, in the order of `found`."""
    store = etree.Element(STORE, {"type": "MAStore"}, nsmap={"nmwg": NMWG})
    number = 0
    for one in found:
        for types in _EVENT_TYPES[one.test.kind]:
            store.extend(_pair(one, types, number))
            number += 1
    return store


def _pair(one: FromDatabase, types: Iterable[str], number: int) -> Iterator[Element]:
    metadata = etree.Element(METADATA, {"id": f"metadata-{number}"}, nsmap={"nmwg": NMWG})
    _add_subject(metadata, one.test, number)
    for type in types:
        etree.SubElement(metadata, EVENT_TYPE).text = type
    if one.test.parameters:
        block = etree.SubElement(metadata, PARAMETERS, {"id": f"parameters-{number}"})
        for name, value in one.test.parameters:
            _add_parameter(block, name, value)
    yield metadata
    data = etree.Element(
        DATA,
        {"id": f"data-{number}", "metadataIdRef": f"metadata-{number}"},
        nsmap={"nmwg": NMWG},
    )
    key = etree.SubElement(data, KEY, {"id": f"key-{number}"})
    block = etree.SubElement(key, PARAMETERS, {"id": f"parameters-key-{number}"})
    told = [("eventType", type) for type in types]
    told += [("testspec", str(one_number)) for one_number in one.test.numbers]
    told += [("db", one.database), ("type", one.type)]
    for name, value in told:
        _add_parameter(block, name, value)
    yield data


def _add_subject(metadata: Element, test: MeasuredTest, number: int) -> None:
    prefix, namespace = _SUBJECTS[test.kind]
    subject = etree.SubElement(
        metadata,
        f"{{{namespace}}}subject",
        {"id": f"subject-{number}"},
        nsmap={prefix: namespace},
    )
    pair = etree.SubElement(subject, f"{{{NMWGT}}}endPointPair", nsmap={"nmwgt": NMWGT})
    for end, value in (("src", test.source), ("dst", test.destination)):
        etree.SubElement(pair, f"{{{NMWGT}}}{end}", {"value": value, "type": address_type(value)})


def _add_parameter(block: Element, name: str, value: str) -> None:
    parameter = etree.SubElement(block, PARAMETER, {"name": name})
    inner = _element(value)
    if inner is None:
        parameter.text = value
    else:
        parameter.append(inner)


def _element(value: str) -> Element | None:
    """The element that a value is written as, such as a schedule's interval."""
    if not value.startswith("<"):
        return None
    try:
        return parse(value.encode())
    except MalformedRequest:
        return None


def address_type(address: str) -> str:
    """``ipv4``, ``ipv6`` or ``hostname``."""
    try:
        return f"ipv{ipaddress.ip_address(address.partition('%')[0]).version}"
    except ValueError:
        return "hostname"
