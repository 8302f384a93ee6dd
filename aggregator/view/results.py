"""Evaluates an expression on a document and makes its result's bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from aggregator.errors import InvalidQuery, QueryFailed
from aggregator.view.document import Document
from aggregator.view.trees import parse_stored
from aggregator.wire.parse import Element, serialise
from aggregator.wire.text import xml_text

#: Pieces are sent in blocks of at least this many bytes.
BLOCK = 256 * 1024
#: A step up, a step in place, or a slash that no step follows.
_MAY_MEAN_DOCUMENT = re.compile(
    r"\.\.|parent|ancestor|self|/\s*(?:\.|\||\)|\]|,|[-+=<>!*]|$|(?:and|or|div|mod)\b)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of a result: plain UTF-8 text where `is_text`, else ready XML content."""

    blocks: list[bytes]
    is_text: bool


def evaluate(
    document: Document, expression: str, namespaces: Mapping[str, str], *, max_result: int
) -> Answer:
    """The result of an expression, the context node being the document's root element.

    Raises InvalidQuery for what is no XPath 1.0, QueryFailed for what can't be evaluated.
    """
    root = document.open()
    found = evaluate_on(root, expression, namespaces)
    if not isinstance(found, list):
        return Answer(blocks([scalar_text(found).encode()], max_result), is_text=True)
    if has_document_node(root, expression, namespaces):
        return Answer(blocks(document.whole(), max_result), is_text=False)
    if all(not isinstance(node, etree._Element) for node in found):
        text = "\n".join(string_of(node) for node in found)
        return Answer(blocks([text.encode()], max_result), is_text=True)
    return Answer(blocks(_Pieces(document, root).of(found), max_result), is_text=False)


def evaluate_on(root: Element, expression: str, namespaces: Mapping[str, str]) -> object:
    """What lxml makes of an expression on a root element; errors as `evaluate` has them."""
    try:
        known = {prefix: uri for prefix, uri in namespaces.items() if prefix}
        compiled = etree.XPath(expression, namespaces=known, smart_strings=False)
    except (etree.XPathError, ValueError) as error:
        raise InvalidQuery(f"the expression is no XPath 1.0: {error}") from error
    try:
        return compiled(root)
    except MemoryError as error:
        raise QueryFailed(
            "the expression needs more memory than a query may use", limit="memory"
        ) from error
    except etree.XPathError as error:
        # That is how most of libxml2 tells that it has no memory; its text is "unknown error".
        if any(entry.type == etree.ErrorTypes.ERR_NO_MEMORY for entry in error.error_log):
            raise QueryFailed(
                "the expression needs more memory than a query may use", limit="memory"
            ) from error
        raise QueryFailed(f"the expression could not be evaluated: {error}") from error


def has_document_node(root: Element, expression: str, namespaces: Mapping[str, str]) -> bool:
    """Whether the node above the root element is in the result; lxml leaves it out.

    To find out takes a second evaluation, so it is asked only where that node may be meant.
    """
    if _MAY_MEAN_DOCUMENT.search(expression) is None:
        return False
    counted = evaluate_on(root, f"count(({expression})[not(..)])", namespaces)
    return counted != 0.0


def scalar_text(value: object) -> str:
    """The string() of a number, boolean or string (XPath 1.0, section 4.2)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def string_of(node: object) -> str:
    """The string value of a node that is no element."""
    # A namespace node comes as its prefix and its name; its string value is the name.
    return str(node[1]) if isinstance(node, tuple) else str(node)


class _Pieces:
    """Makes the bytes of nodes; nodes of one entry follow each other, so one is kept parsed."""

    def __init__(self, document: Document, root: Element) -> None:
        self._document = document
        self._root = root
        self._part: Element | None = None
        self._alone: dict[Element, Element] = {}

    def of(self, nodes: Iterable[object]) -> Iterator[bytes]:
        for node in nodes:
            if not isinstance(node, etree._Element):
                yield f"{xml_text(string_of(node))}\n".encode()
            elif node is self._root:
                yield from self._document.whole()
            elif (part := self._part_of(node)) is None:
                # A comment or processing instruction beside the root; we write none.
                yield serialise(node)
            elif part is node:
                yield self._document.fragment(node)
            else:
                yield serialise(self._in_fragment(node, part))

    def _part_of(self, node: Element) -> Element | None:
        parent = node.getparent()
        while parent is not None and parent is not self._root:
            node, parent = parent, parent.getparent()
        return None if parent is None else node

    def _in_fragment(self, node: Element, part: Element) -> Element:
        """The same node where its fragment stands alone, with every prefix that it came with."""
        if part is not self._part:
            alone = parse_stored(self._document.fragment(part))
            self._alone = dict(zip(part.iter(), alone.iter(), strict=True))
            self._part = part
        return self._alone[node]


def blocks(pieces: Iterable[bytes], max_result: int) -> list[bytes]:
    blocks: list[bytes] = []
    waiting: list[bytes] = []
    total = held = 0
    for piece in pieces:
        total += len(piece)
        held += len(piece)
        if total > max_result:
            raise QueryFailed(
                f"the result has more than {max_result} bytes; ask for less of the document",
                limit="result",
            )
        waiting.append(piece)
        if held >= BLOCK:
            blocks.append(b"".join(waiting))
            waiting, held = [], 0
    if held:
        # No empty block: the reader is gone as soon as it has what was announced, and to send it
        # nothing more fails too.
        blocks.append(b"".join(waiting))
    return blocks
