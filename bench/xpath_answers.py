"""Whether two answers to one expression say the same: the service's envelope and BaseX's result.

Elements are compared in canonical form, which leaves out the declarations that only happen to be
in scope; texts as they are; numbers as numbers, since ``1E7`` is ``10000000`` in XPath 1.0 and a
sum may be taken in another order.
"""

from __future__ import annotations

import math

from lxml import etree

from bench.xpath_queries import Kind

Items = list[bytes | str]


def differ(kind: Kind, ours: bytes, basex: bytes) -> str:
    """In what they differ; empty where they say the same."""
    one = etree.fromstring(ours, _PARSER)[-1][0]
    other = etree.fromstring(b"<result>" + basex + b"</result>", _PARSER)
    if kind == "nodes":
        return _first_difference(_items(one), _items(other))
    if len(one) or len(other):
        return "elements, where none are expected"
    text, wanted = one.text or "", other.text or ""
    equal = _is_same_number(text, wanted) if kind == "number" else text == wanted
    return "" if equal else f"{text[:200]!r}, where BaseX has {wanted[:200]!r}"


_PARSER = etree.XMLParser(huge_tree=True, resolve_entities=False)


def _items(parent: etree._Element) -> Items:
    """The elements, canonical, and the lines of text between them."""
    found: Items = _lines(parent.text)
    for child in parent:
        found.append(etree.tostring(child, method="c14n", exclusive=True, with_tail=False))
        found += _lines(child.tail)
    return found


def _lines(text: str | None) -> Items:
    return [line for line in (text or "").split("\n") if line]


def _first_difference(ours: Items, basex: Items) -> str:
    for number, (one, other) in enumerate(zip(ours, basex, strict=False)):
        if one != other:
            return f"item {number + 1}: {one[:300]!r}, where BaseX has {other[:300]!r}"
    if len(ours) != len(basex):
        return f"{len(ours)} items, where BaseX has {len(basex)}"
    return ""


def _is_same_number(one: str, other: str) -> bool:
    first, second = float(one), float(other)
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second)
    return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-12)
