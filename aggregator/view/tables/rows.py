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

#: Of one entry: its bytes and those that its values take, its rows, their values. Anybody may
#: register an entry and ask an expression; where one has more, all are left to the evaluator, which
#: ends what takes long.
_LARGEST, _MOST_ROWS, _MOST_VALUES = 2**16, 64, 500
#: Entries that are kept parsed while several tables take them in.
_MOST_PARSED = 256
#: Texts that are shared by all rows that hold them.
_SHORT = 64

#: Bytes that a row, and a value, take besides.
_OF_ROW, _OF_VALUE = 120, 64
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
        if len(nodes) > _MOST_ROWS:
            raise TooMuch
        left = _MOST_VALUES
        rows: list[Hit] = []
        for number, node in enumerate(nodes):
            row = []
            for column in self._columns:
                found = column(node)
                # Before it is made to texts, which takes the longest.
                left -= len(found) if isinstance(found, list) else 1
                if left < 0:
                    raise TooMuch
                row.append(_value(found))
            rows.append((entry.id, number, tuple(row)))
        if size_of(rows) > _LARGEST:
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


def size_of(rows: Iterable[Hit]) -> int:
    """Bytes that rows take, more or less."""
    return sum(
        _OF_ROW
        + sum(
            _OF_VALUE + len(value) if isinstance(value, str) else _OF_VALUE
            for held in row
            for value in values_of(held)
        )
        for _, _, row in rows
    )


def _is_nested(nodes: Sequence[Element]) -> bool:
    known = set(nodes)
    return any(above in known for node in nodes for above in node.iterancestors())
