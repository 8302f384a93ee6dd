"""An expression on many small documents, one after the other, each answered for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import quoteattr

from lxml import etree

from aggregator.errors import QueryFailed
from aggregator.view.results import Answer, evaluate_on, has_document_node, scalar_text, string_of
from aggregator.view.trees import parse_stored
from aggregator.wire import namespaces as ns
from aggregator.wire.parse import Element, serialise
from aggregator.wire.text import xml_text

#: A document's text, and the attributes (by Clark name) that tell of each of its nodes where it is.
Labelled = tuple[Mapping[str, str], str]


def evaluate_each(
    documents: Sequence[Labelled], expression: str, namespaces: Mapping[str, str], max_result: int
) -> Answer:
    """A block for each document that has something: its place, a line feed, and the nodes.

    What is no element comes as a Value. Raises InvalidQuery and QueryFailed as `evaluate` does.
    """
    blocks: list[bytes] = []
    size = 0
    for place, (labels, text) in enumerate(documents):
        root = parse_stored(text.encode())
        found = b"".join(_nodes(root, labels, expression, namespaces))
        size += len(found)
        if size > max_result:
            raise QueryFailed(
                f"the result has more than {max_result} bytes; ask for less of the documents",
                limit="result",
            )
        if found:
            blocks.append(b"%d\n" % place + found)
    return Answer(blocks, is_text=False)


def _nodes(
    root: Element, labels: Mapping[str, str], expression: str, namespaces: Mapping[str, str]
) -> Iterator[bytes]:
    found = evaluate_on(root, expression, namespaces)
    if not isinstance(found, list):
        yield _value(scalar_text(found), labels)
        return
    if has_document_node(root, expression, namespaces):
        found = [root]
    for node in found:
        if isinstance(node, etree._Element):
            yield _labelled(node, labels)
        else:
            yield _value(string_of(node), labels)


def _labelled(node: Element, labels: Mapping[str, str]) -> bytes:
    if isinstance(node, etree._Comment | etree._ProcessingInstruction):
        return _value(node.text or "", labels)
    before = {name: value for name in labels if (value := node.get(name)) is not None}
    for name, text in labels.items():
        node.set(name, text)
    made = serialise(node)
    # A node further out is answered without them.
    for name in labels:
        del node.attrib[name]
    for name, text in before.items():
        node.set(name, text)
    return made


def _value(text: str, labels: Mapping[str, str]) -> bytes:
    prefixes: dict[str, str] = {}
    told = []
    for name, value in labels.items():
        uri, _, local = name[1:].rpartition("}")
        prefix = prefixes.setdefault(uri, f"l{len(prefixes)}")
        told.append(f" {prefix}:{local}={quoteattr(value)}")
    declared = (f' xmlns:{prefix}="{uri}"' for uri, prefix in prefixes.items())
    opening = f'<v:Value xmlns:v="{ns.ARCHIVED}"{"".join(declared)}{"".join(told)}>'
    return f"{opening}{xml_text(text)}</v:Value>".encode()
