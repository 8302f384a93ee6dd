"""The rows of one entry: the nodes that a path selects in it, with the values of the columns."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from lxml import etree

from aggregator.view.fragments import EntryFrame, Published, entry_fragment
from aggregator.view.properties import document_tags
from aggregator.view.tables.conditions import values_of
from aggregator.view.tables.plan import Path, Row, Value
from aggregator.view.trees import parse_stored
from aggregator.wire.parse import Element

#: Of one entry: its bytes, rows, values, and their characters. Anybody may register an entry and
#: ask an expression; where one has more, all are left to the evaluator, which ends what takes long.
_LARGEST, _MOST_ROWS, _MOST_VALUES, _MOST_TEXT = 2**16, 64, 1000, 2**16
#: Entries that are kept parsed while several tables take them in.
_MOST_PARSED = 256
#: Texts that are shared by all rows that hold them.
_SHORT = 64

#: A row: the id of its entry, its number there, the values of the columns.
Hit = tuple[int, int, Row]


class TooMuch(Exception):
    """An entry has more than a table takes."""


class Parsed:
    """Documents of one entry each, the last ones kept. For one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, bytes], tuple[Published, Element]] = {}

    def document(self, entry: Published, frame: EntryFrame, tags: tuple[bytes, bytes]) -> Element:
        """The root element, between the tags of a property document's, with this entry alone."""
        name = (entry.id, frame.family, tags[0])
        known = self._known.get(name)
        if known is not None and known[0] is entry:
            return known[1]
        root = parse_stored(b"".join((tags[0], entry_fragment(entry, frame), tags[1])))
        if len(self._known) >= _MOST_PARSED:
            self._known.clear()
        self._known[name] = (entry, root)
        return root


class Reading:
    """Reads rows for `path`, with `columns`, out of entries."""

    def __init__(
        self, frame: EntryFrame, *, root: str, path: Path, columns: Iterable[Path]
    ) -> None:
        self._frame = frame
        self._tags = document_tags(root)
        self._path = path.compiled()
        self._columns = [column.compiled() for column in columns]

    def rows(self, entry: Published, parsed: Parsed) -> tuple[tuple[Hit, ...], bool]:
        """The rows of an entry, and whether some are of nodes within each other; or TooMuch."""
        if len(entry.body) + len(entry.member) > _LARGEST:
            raise TooMuch
        nodes = self.nodes(self.document(entry, parsed))
        rows: list[Hit] = []
        values = 0
        for number, node in enumerate(nodes[: _MOST_ROWS + 1]):
            row = tuple(_value(column(node)) for column in self._columns)
            values += sum(len(values_of(value)) for value in row)
            if number == _MOST_ROWS or values > _MOST_VALUES:
                raise TooMuch
            rows.append((entry.id, number, row))
        if text_of(rows) > _MOST_TEXT:
            raise TooMuch
        return tuple(rows), len(nodes) > 1 and _is_nested(nodes)

    def document(self, entry: Published, parsed: Parsed) -> Element:
        """The document of an entry alone."""
        return parsed.document(entry, self._frame, self._tags)

    def nodes(self, document: Element) -> list[Element]:
        """The nodes of a document that are rows."""
        found = self._path(document)
        assert isinstance(found, list)
        return [node for node in found if isinstance(node, etree._Element)]


def _value(found: object) -> Value:
    if isinstance(found, list):
        return tuple(_text(node) for node in found)
    if isinstance(found, str):
        return _shared(found)
    assert isinstance(found, float)
    return found


def _text(node: object) -> str:
    """The string value of an element, an attribute or a text."""
    found = _string(node) if isinstance(node, etree._Element) else node
    assert isinstance(found, str)
    return _shared(found)


_string = etree.XPath("string()", smart_strings=False)


def _shared(text: str) -> str:
    return sys.intern(text) if len(text) <= _SHORT else text


def text_of(rows: Iterable[Hit]) -> int:
    """Characters of the values of rows."""
    return sum(
        len(value)
        for _, _, row in rows
        for held in row
        for value in values_of(held)
        if isinstance(value, str)
    )


def _is_nested(nodes: Sequence[Element]) -> bool:
    known = set(nodes)
    return any(above in known for node in nodes for above in node.iterancestors())
