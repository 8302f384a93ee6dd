"""The one way in for XML: no DOCTYPE, no entities, no network, bounded depth, size and nodes."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from lxml import etree

from aggregator.errors import MalformedRequest, RequestTooLarge

Element = etree._Element


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may be.

    ``size`` is in bytes, ``depth`` in elements, ``nodes`` counts elements, attributes, comments
    and processing instructions. ``namespaces`` are the declarations in scope at any one element:
    each is copied to every piece that is cut out of the document, and reading a QName takes time
    for each of them. ``namespace`` is the length of one: each element that it is the namespace of
    takes a few bytes in the document and all of it in a name.

    The defaults are for what anybody may send. Who reads what a service wrote around such things
    must allow for more depth and namespaces.
    """

    size: int = 4 * 1024 * 1024
    depth: int = 128
    nodes: int = 200_000
    namespaces: int = 128
    namespace: int = 1024


DEFAULT_LIMITS = Limits()
#: For what was taken within limits once already, and is kept as bytes since.
NO_LIMITS = Limits(*5 * (2**62,))
#: Encodings that are read, by the names that Python's codecs and the field have for them.
ENCODINGS = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "windows-1252"}
    | {"iso-8859-1", "iso8859-1", "latin-1", "latin1", "iso-8859-15"}
    | {"utf-16", "utf-16le", "utf-16be"}
)
_UTF8 = frozenset({"utf-8", "utf8"})
#: What may stand before the root element.
_PROLOG = re.compile(rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([^"'>]+)["']""")
#: A declared encoding is looked for in so many bytes; no honest declaration is longer.
_DECLARATION = 400
#: A value of so many bytes that it may declare a namespace with a very long name.
_LONG_VALUE = """=\\s*(?:"[^"<]{%d}|'[^'<]{%d})"""
#: White space (XML 1.0, section 2.3).
_SPACE = " \t\r\n"
_WALKED = ("start", "end", "start-ns", "end-ns")


def parse(data: bytes, *, limits: Limits = DEFAULT_LIMITS, charset: str = "") -> Element:
    """The root of the document in `data`; `charset` is what the transport said, empty for none.

    A byte order mark decides on the encoding, then `charset`, then the XML declaration (RFC 7303,
    section 3). Raises MalformedRequest (not well-formed, a DOCTYPE, an unknown encoding, too
    deep) or RequestTooLarge (bytes, nodes), each naming what was given and what is allowed.
    """
    if len(data) > limits.size:
        raise RequestTooLarge(f"the document has {len(data)} bytes; at most {limits.size} are read")
    # From here on there is one encoding, so that the parser can't take the bytes for something
    # else than the look at the prolog does.
    text = _utf8(data, charset)
    _check_prolog(text)
    try:
        # A parser holds a lock while it parses, so one that is shared would serialise threads.
        root = etree.fromstring(text, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "empty document"
        raise MalformedRequest(f"the document is not well-formed XML: {reason[:200]}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedRequest("the document has a DOCTYPE; SOAP allows none")
    _check_nodes(root, text, limits)
    _check_nesting(root, text, limits)
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        collect_ids=False,
    )


def _utf8(data: bytes, charset: str) -> bytes:
    """The document in UTF-8 without byte order mark, whatever it came in."""
    if data.startswith(BOM_UTF8):
        return data[len(BOM_UTF8) :]
    name = _encoding(data, charset)
    if name in _UTF8:
        return data
    if name not in ENCODINGS:
        raise MalformedRequest(f"encoding {name[:40]!r} is not read here; send UTF-8")
    try:
        return data.decode(name).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        raise MalformedRequest(f"the document is no {name}: {error}") from error


def _encoding(data: bytes, charset: str) -> str:
    head = data[:4]
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    name = charset.strip("\"' \t").lower()
    if b"\0" in head and name in ("", "utf-16"):
        return "utf-16be" if head[0] == 0 else "utf-16le"
    if not name:
        declared = _DECLARED.match(data[:_DECLARATION])
        name = declared[1].decode("latin-1").strip().lower() if declared else "utf-8"
    return name


def _check_prolog(text: bytes) -> None:
    """Refuse a document unless its root element follows the prolog: what hides is refused too."""
    found = _PROLOG.match(text)
    begin = text[found.end() : found.end() + 4] if found else b""
    if begin.startswith(b"<!") and begin != b"<!--":
        raise MalformedRequest("the document has a DOCTYPE; SOAP allows none")
    if not begin.startswith(b"<") or begin.startswith((b"<?", b"<!")):
        given = repr(begin.decode(errors="replace")) if begin else "nothing"
        raise MalformedRequest(
            f"the document is not well-formed XML: {given} stands where its root element begins"
        )


def _check_nodes(root: Element, text: bytes, limits: Limits) -> None:
    # Every node needs a '<' and every attribute a '=', so the count of bytes bounds both.
    if text.count(b"<") + text.count(b"=") <= limits.nodes:
        return
    around = sum(1 for before in (True, False) for _ in root.itersiblings(preceding=before))
    nodes = around + sum(1 + len(node.attrib) for node in root.iter())
    if nodes > limits.nodes:
        raise RequestTooLarge(
            f"the document has {nodes} elements, attributes and comments; at most "
            f"{limits.nodes} are read"
        )


def _check_nesting(root: Element, text: bytes, limits: Limits) -> None:
    # Each ancestor needs an end tag, each declaration its word: few of them bound both.
    few = text.count(b"</") < limits.depth and text.count(b"xmlns") <= limits.namespaces
    if few and not _has_long_value(text, limits.namespace):
        return
    depth = namespaces = 0
    for event, found in etree.iterwalk(root, events=_WALKED):
        if event == "start":
            depth += 1
            if depth > limits.depth:
                raise MalformedRequest(
                    f"elements are nested more than {limits.depth} deep; that is the limit here"
                )
        elif event == "end":
            depth -= 1
        elif event == "start-ns":
            namespaces += 1
            if namespaces > limits.namespaces:
                raise RequestTooLarge(
                    f"more than {limits.namespaces} namespace declarations are in scope at one "
                    "element; that is the limit here"
                )
            _check_namespace(found[1], limits)
        else:
            namespaces -= 1


def _has_long_value(text: bytes, longest: int) -> bool:
    return len(text) > longest and _long_value(longest + 1).search(text) is not None


@cache
def _long_value(length: int) -> re.Pattern[bytes]:
    return re.compile((_LONG_VALUE % (length, length)).encode())


def _check_namespace(name: str, limits: Limits) -> None:
    if len(name) > limits.namespace:
        raise RequestTooLarge(
            f"the name of a namespace has {len(name)} characters; at most {limits.namespace} are "
            f"read ({name[:60]}...)"
        )


def text_of(element: Element) -> str:
    """The text that an element of a simple type holds, around comments, without outer space.

    What is space to XML, that is; other characters that are blank belong to the value.
    """
    text = element.text or ""
    if len(element):
        text += "".join(child.tail or "" for child in element)
    return text.strip(_SPACE)


def serialise(element: Element) -> bytes:
    """The bytes of `element` in UTF-8 with every namespace that is in scope, without its tail.

    Prefixes that only text or attribute values use (QNames) survive, and the result may be
    joined to other bytes in any document that declares no default namespace around it.
    """
    # ASCII is no choice: it would write character references into names that are not ASCII.
    return etree.tostring(element, encoding="UTF-8", with_tail=False)


def serialise_all(elements: Iterable[Element], *, limit: int) -> tuple[bytes, ...]:
    """Each of `elements` as `serialise` writes it; RequestTooLarge past `limit` bytes together.

    Every piece repeats the namespaces in scope, so many small ones may come to far more than the
    document that they were cut from.
    """
    pieces: list[bytes] = []
    size = 0
    for element in elements:
        pieces.append(serialise(element))
        size += len(pieces[-1])
        if size > limit:
            raise RequestTooLarge(
                f"its elements come to more than {limit} bytes with the namespaces in their scope"
            )
    return tuple(pieces)
