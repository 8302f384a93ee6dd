"""Pairs of the metadata store: what was measured, and where the measurements are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from aggregator.archive.measurements import kind_of
from aggregator.store.measured_values import Kind, MeasuredTest
from aggregator.wire.nmwg_metadata import (
    KEY,
    ends_of,
    event_types,
    parameter_blocks,
    setting_of,
    value_of,
)
from aggregator.wire.parse import Element, text_of

#: What in a data element's key is no part of what it stands for: a rebuild may bring others.
_PASSING = frozenset({"testspec", "user", "pass"})


class StoredData(NamedTuple):
    """Where measurements are; `parameters` are all of each name, in their order."""

    ma_key: str
    id: str
    metadata_id: str
    parameters: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        """The first parameter of a name, empty for none."""
        return self.parameters.get(name, ("",))[0]


class StoredMetadata(NamedTuple):
    """What was measured, with the data that belong to it."""

    id: str
    element: Element
    data: tuple[StoredData, ...]

    @property
    def event_types(self) -> list[str]:
        """What kinds of data it stands for."""
        return event_types(self.element)

    @property
    def kind(self) -> Kind | None:
        """What was measured, by the event types; None where that is not known."""
        return kind_of(self.event_types)


def stored_data(metadata: Element, data: Element) -> StoredData:
    """A data element as it is used, with its maKey."""
    parameters: dict[str, tuple[str, ...]] = {}
    for key in data.iterchildren(KEY):
        for block in parameter_blocks(key):
            for one in block.iterchildren("{*}parameter"):
                name = one.get("name", "")
                parameters[name] = (*parameters.get(name, ()), value_of(one))
    identifiers = data.get("id", ""), data.get("metadataIdRef", "")
    return StoredData(ma_key(metadata, parameters), *identifiers, parameters)


def ma_key(metadata: Element, parameters: Mapping[str, tuple[str, ...]]) -> str:
    """The MD5 of a metadata and its origin, as 32 hexadecimal digits.

    Ids that are given anew with each rebuild, credentials, and test specifications, of which each
    month brings more, are no part of it, nor is the order in which the store was written.
    """
    origin = sorted((name, sorted(all)) for name, all in parameters.items() if name not in _PASSING)
    text = json.dumps([_canonical(metadata), origin], ensure_ascii=True, separators=(",", ":"))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _canonical(element: Element) -> list[object]:
    attributes = sorted(
        (str(name), str(value))
        for name, value in element.attrib.items()
        if name != "id" and not str(name).endswith("IdRef")
    )
    children = sorted((_canonical(child) for child in element.iterchildren("*")), key=json.dumps)
    return [str(element.tag), attributes, text_of(element), children]


def measured_test(metadata: StoredMetadata, data: StoredData) -> MeasuredTest:
    """The test that a pair stands for, as a database of measurements knows it."""
    ends = dict(ends_of(metadata.element))
    parameters = tuple(
        (one.get("name", ""), setting_of(one))
        for block in parameter_blocks(metadata.element)
        for one in block.iterchildren("{*}parameter")
    )
    numbers = tuple(int(one) for one in data.parameters.get("testspec", ()) if one.isdecimal())
    kind = metadata.kind or "bwctl"
    return MeasuredTest(kind, ends.get("src", ""), ends.get("dst", ""), parameters, numbers)
