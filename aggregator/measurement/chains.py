"""Chains of metadata: what a data element asks about, and the filters before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from aggregator.errors import NmwgError
from aggregator.measurement.merging import merge_error, merged, subject_of
from aggregator.measurement.message import Message, Trigger
from aggregator.wire.parse import Element, serialise

#: Metadata in one chain: no message of the field has more than four.
LONGEST = 64
#: Bytes that the merged metadata of a message may take in memory, about: each is a copy of all that
#: it inherits, so that a message could come to many times its own size.
MOST_MERGED = 32 * 2**20
#: Bytes that an element or an attribute takes beside its text, about.
_NODE = 100


class Filter(NamedTuple):
    """A metadata that selects from what its subject names."""

    id: str
    metadata: Element


class Chain(NamedTuple):
    """`metadata` is what is asked about; the filters begin with the one nearest to it."""

    metadata: Element
    filters: tuple[Filter, ...]

    @property
    def id(self) -> str:
        """The id of the metadata."""
        return self.metadata.get("id", "")

    @property
    def outermost(self) -> str:
        """The id of the last filter; without filters that of the metadata."""
        return self.filters[-1].id if self.filters else self.id


class Chains:
    """The chains of one message; what several of them merge is merged once.

    `look_at_the_clock` is called before each merge, and may raise.
    """

    def __init__(
        self, message: Message, *, look_at_the_clock: Callable[[], None] = lambda: None
    ) -> None:
        self._metadata: Mapping[str, Element] = message.metadata
        self._merged: dict[str, Element] = {}
        self._size = 0
        self._look_at_the_clock = look_at_the_clock

    def of(self, trigger: Trigger) -> Chain:
        """The chain that a data element ends; raises NmwgError with what is wrong with it."""
        named = trigger.metadata_ref or trigger.id
        if not trigger.metadata_ref:
            raise structure(f'Data trigger with id "{trigger.id}" has no metadataIdRef')
        if trigger.metadata_ref not in self._metadata:
            raise structure(f'Data trigger with id "{named}" has no matching metadata')
        filters: list[Filter] = []
        seen: set[str] = set()
        identifier = trigger.metadata_ref
        while True:
            _note(identifier, seen)
            metadata = self._of_chain(identifier)
            subject = subject_of(metadata)
            following = "" if subject is None else subject.get("metadataIdRef", "")
            if not following:
                return Chain(metadata, tuple(reversed(filters)))
            filters.append(Filter(identifier, metadata))
            identifier = following

    def _of_chain(self, identifier: str) -> Element:
        """A metadata with all that it inherits; several of a chain may inherit from one."""
        names: list[str] = []
        seen: set[str] = set()
        following = identifier
        while following:
            _note(following, seen)
            if following not in self._metadata:
                raise merge_error(f"Metadata {following} does not exist")
            names.append(following)
            following = self._metadata[following].get("metadataIdRef", "")
        return self._inherited(names)

    def _inherited(self, names: list[str]) -> Element:
        first = names[0]
        if first in self._merged:
            return self._merged[first]
        found = self._metadata[names[-1]]
        for name in reversed(names[:-1]):
            self._look_at_the_clock()
            if self._size > MOST_MERGED:
                raise merge_error("The metadata of the message come to too much when merged")
            found = merged(self._metadata[name], found)
        if len(names) > 1:
            self._size += _size(found)
        self._merged[first] = found
        return found


def _note(identifier: str, seen: set[str]) -> None:
    if identifier in seen:
        raise merge_error(f"Metadata {identifier} appears multiple times in the chain")
    seen.add(identifier)
    if len(seen) > LONGEST:
        raise merge_error(f"The chain has more than {LONGEST} metadata")


def _size(element: Element) -> int:
    """Bytes that an element takes in memory, about."""
    nodes = sum(1 + len(one.attrib) for one in element.iter())
    return nodes * _NODE + len(serialise(element))


def structure(text: str) -> NmwgError:
    """What is wrong with a message's structure."""
    return NmwgError("error.common.structure", text)
