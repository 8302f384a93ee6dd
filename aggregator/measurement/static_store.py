"""Stored pairs that an operator writes by hand, for origins that have no database to be asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import deepcopy
from pathlib import Path

from aggregator.errors import MeasurementError, RequestError
from aggregator.measurement.building import STORE
from aggregator.measurement.numbers import FUNCTIONS
from aggregator.measurement.stored import StoredData, stored_data
from aggregator.wire.nmwg_metadata import DATA, METADATA, event_types
from aggregator.wire.parse import Element, Limits, parse

#: What is before the ids, which the rest of the store counts on its own.
PREFIX = "static-"
#: An operator's file is no small message, and no database.
_LIMITS = Limits(size=64 * 2**20, nodes=4_000_000, depth=64)
#: Problems that are told of one file.
_TOLD = 20
#: Parameters that keys of a type can't do without; of those in one group, one.
_NECESSARY = {"rrd": (("file",),), "series": (("group",), ("series",), ("entry", "address"))}


class StaticStoreWrong(MeasurementError):
    """Raised for a file of stored pairs that can't be used; nothing of it is."""

    def __init__(self, path: Path, problems: Collection[str]) -> None:
        more = len(problems) - _TOLD
        told = [*list(problems)[:_TOLD], *([f"and {more} more"] if more > 0 else [])]
        super().__init__(f"{path}: {'; '.join(told)}")


class StaticStore:
    """An nmwg:store in a file; `types` are those of origins that there are."""

    def __init__(self, path: Path, types: Collection[str]) -> None:
        self._path = path
        self._types = types

    def __call__(self) -> list[Element]:
        """What the file holds now, with ids that nothing else has; raises StaticStoreWrong."""
        root = self._read()
        if problems := list(_problems(root, self._types)):
            raise StaticStoreWrong(self._path, problems)
        return [_prefixed(one) for one in root.iterchildren("*")]

    def problems(self) -> list[str]:
        """All that is wrong with the file, by line and id; empty where it can be used."""
        try:
            return list(_problems(self._read(), self._types))
        except StaticStoreWrong as error:
            return [str(error)]

    def _read(self) -> Element:
        try:
            # A pipe would never end, and a device not either.
            if not self._path.is_file():
                raise StaticStoreWrong(self._path, ["there is no such file"])
            root = parse(self._path.read_bytes(), limits=_LIMITS)
        except (OSError, RequestError) as error:
            raise StaticStoreWrong(self._path, [str(error)]) from error
        if root.tag != STORE:
            raise StaticStoreWrong(self._path, [f"its root is {root.tag}; expected is {STORE}"])
        return root


def _prefixed(element: Element) -> Element:
    found = deepcopy(element)
    found.tail = None
    for one in found.iter("*"):
        for name in ("id", "metadataIdRef") if one is found else ("id",):
            if name in one.attrib:
                one.set(name, f"{PREFIX}{one.get(name)}")
    return found


def _problems(root: Element, types: Collection[str]) -> Iterator[str]:
    metadata: dict[str, Element] = {}
    seen: dict[str, Element] = {}
    for one in root.iterchildren("*"):
        if one.tag not in (METADATA, DATA):
            yield f"{_where(one)} is neither a metadata nor a data of NMWG"
            continue
        identifier = one.get("id", "")
        if not identifier:
            yield f"{_where(one)} has no id"
        elif identifier in seen:
            yield f"{_where(one)}: its id is that of line {seen[identifier].sourceline} too"
        seen.setdefault(identifier, one)
        if one.tag == METADATA:
            metadata.setdefault(identifier, one)
            yield from _of_metadata(one)
    yield from _of_pairs(root, metadata, types)


def _of_metadata(metadata: Element) -> Iterator[str]:
    if not event_types(metadata):
        yield f"{_where(metadata)} has no eventType"
    if len(list(metadata.iterchildren("{*}subject"))) > 1:
        yield f"{_where(metadata)} has more than one subject"


def _of_pairs(root: Element, metadata: dict[str, Element], types: Collection[str]) -> Iterator[str]:
    keys: dict[str, Element] = {}
    described: set[str] = set()
    for one in root.iterchildren(DATA):
        named = one.get("metadataIdRef", "")
        described.add(named)
        if named not in metadata:
            yield f'{_where(one)}: its metadataIdRef "{named}" names no metadata of the file'
            continue
        data = stored_data(metadata[named], one)
        for problem in _of_key(data, types):
            yield f"{_where(one)}: {problem}"
        if data.ma_key in keys:
            other = keys[data.ma_key]
            yield f"{_where(one)} stands for the same as that of line {other.sourceline}"
        keys.setdefault(data.ma_key, one)
    for identifier, one in metadata.items():
        if identifier not in described:
            yield f"{_where(one)} has no data"


def _of_key(data: StoredData, types: Collection[str]) -> Iterator[str]:
    type = data.one("type")
    if type not in types:
        yield f'its key\'s type "{type}" is none of {", ".join(sorted(types))}'
    for names in _NECESSARY.get(type, ()):
        if not any(data.one(name) for name in names):
            yield f"its key has no parameter {' or '.join(names)}"
    resolution, function = data.one("resolution"), data.one("consolidationFunction")
    if resolution and not (resolution.isascii() and resolution.isdecimal()):
        yield f'its key\'s resolution "{resolution}" is no number of seconds'
    if type in _NECESSARY and function and function.upper() not in FUNCTIONS:
        yield f'its key\'s consolidationFunction "{function}" is none of {", ".join(FUNCTIONS)}'


def _where(element: Element) -> str:
    name = str(element.tag).rpartition("}")[2]
    return f'line {element.sourceline}: {name} "{element.get("id", "")}"'
