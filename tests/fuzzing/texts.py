"""Texts, names and small trees of XML, ready to be put into a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from tests.soap import AGG, NS, SOAP11, SOAP12

T = TypeVar("T")


def any_of(*choices: Sequence[T]) -> st.SearchStrategy[T]:
    """One of all that the sequences hold."""
    return st.sampled_from([choice for given in choices for choice in given])


XSI = "http://www.w3.org/2001/XMLSchema-instance"
HEALTH = "urn:mds-aggregator:health"

#: Characters that XML 1.0 has a place for.
CHARACTERS = st.characters(
    exclude_categories=("Cs", "Cc", "Cn"), include_characters="\t\n\u0085", max_codepoint=0x2FFFF
)
#: Characters that have been mistaken for others.
STRANGE = any_of(
    ["\u00a0", "\u00ad", "e\u0301", "\u200b", "\u2028", "\u202e", "\ufeff", "\ufffd", "\U0010ffff"],
    ["&<>\"'", "]]", "\u0085", " \t\n ", "%00", "{}", "%s", "\\0", "${a}", "é", "\u0131\u0307"],
)
PLAIN = st.one_of(st.text(CHARACTERS, max_size=12), STRANGE)
#: Pieces of markup that say something else than they seem to; all well-formed as content.
MARKUP = any_of(
    ["]]&gt;", "&#13;", "&#x10FFFF;", "&#9;&#10;", "&lt;!DOCTYPE a&gt;", "<!-- c -->", "<?p d?>"],
    ["<![CDATA[<a>&]]>", "<![CDATA[]]>", "&amp;amp;", "&#0000000065;", "<?xml-stylesheet x?>"],
)
#: Pieces that no document may hold.
BROKEN = any_of(
    ["&e;", "&#0;", "&#xD800;", "&#xFFFE;", "\x00", "\x01", "\x1f", "\ufffe", "<", "&", "]]>"],
    ["<?xml version='1.0'?>", "<!-- -- -->", "<a b=c/>", "<a a='' a=''/>", "<u:a/>", "<![CDATA["],
)


def content() -> st.SearchStrategy[str]:
    """Text as the content of an element, seldom not well-formed."""
    plain = PLAIN.map(escape)
    return mostly(
        st.one_of(plain, plain, MARKUP, st.builds("{}{}".format, plain, MARKUP)), BROKEN, 30
    )


@st.composite
def mostly(
    draw: st.DrawFn, usual: st.SearchStrategy[str], other: st.SearchStrategy[str], seldom: int = 5
) -> str:
    """Of `usual`, but once in `seldom` of `other`."""
    return draw(other if draw(st.integers(1, seldom)) == seldom else usual)


LOCAL_NAMES = any_of(
    ["a", "Entry", "Address", "EntryKey", "MemberEPR", "AggregatorConfig", "x-1._", "é", "Ⰰ", "_"],
    ["xmlfoo", "\U00010000", "\u0e01", "N" * 300, "Dialect", "Timestamp", "health", "Body"],
)
#: Namespaces that a document may declare.
NAMESPACES = any_of(
    [uri for family in NS.values() for uri in family.values()],
    [AGG, SOAP11, SOAP12, HEALTH, XSI, "urn:x", "a&b", "x" * 1024, "a/../b", "#"],
    ["http://schemas.xmlsoap.org/ws/2004/08/addressing", "http://mds.globus.org/index", "urn:%7D"],
)
#: What stands where a namespace should, and is none.
NO_NAMESPACES = st.sampled_from(
    ["x" * 1025, "a}b", "{", " x ", "%zz", "http://[", "é", "", "xmlns", "a\nb"]
)
URIS = mostly(NAMESPACES, NO_NAMESPACES, seldom=25)
_PREFIXES = any_of(["", "", "", "p", "s", "wsa", "agg", "sg", "é"])
#: Attributes that mean something somewhere.
ATTRIBUTES = any_of(
    [""] * 10,
    ["xml:id='i'", "xml:space='preserve'", "xml:lang='de'", f"xmlns:i='{XSI}' i:nil='true'"],
    [f"xmlns:i='{XSI}' i:type='i:nobody'", f"xmlns:i='{XSI}' i:nil=' 1 '", "Dialect='urn:x'"],
    [f"xmlns:t='{SOAP11}' t:mustUnderstand='1'", "a=''", "xmlns=''", "xml:base='//h'", "id='i'"],
    [f"xmlns:t='{SOAP12}' t:mustUnderstand='true' t:relay='1'", "b='&lt;&amp;&#10;'"],
)


@st.composite
def element(draw: st.DrawFn, inside: st.SearchStrategy[str]) -> str:
    """An element of any name around `inside`."""
    name, attributes = draw(LOCAL_NAMES), draw(ATTRIBUTES)
    prefix = draw(_PREFIXES)
    if prefix:
        attributes += f" xmlns:{prefix}={quoteattr(draw(URIS))}"
        name = f"{prefix}:{name}"
    return f"<{name} {attributes}>{draw(inside)}</{name}>"


_FLAT = element(content())
#: An element, seldom with others in it.
ELEMENTS = st.one_of(
    _FLAT, _FLAT, element(_FLAT), element(st.builds("{}{}{}".format, content(), _FLAT, content()))
)
TREES = st.one_of(content(), ELEMENTS, st.builds("{}{}".format, _FLAT, _FLAT))
NOTHING = st.just("")
