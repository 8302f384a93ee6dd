"""A grammar of expressions on a group of `bench.entries`, drawn from at random.

Wide on purpose: all axes that a tree of entries has a use for, every comparison, functions, unions
and positions. Left out is what the two languages disagree on beyond rewriting; what takes time by
the square of the entries, such as ``preceding::``; and what BaseX 9.7 answers wrongly, such as
``.//@* = 'x'``, where its index forgets the attributes of the element itself.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bench.xpath_conditions import (
    ELEMENTS,
    NUMBERS,
    VALUES,
    Pair,
    Value,
    condition,
    equality,
    line,
    of,
    same,
)
from bench.xpath_queries import Category, Form, Kind, Template

_Drawn = tuple[Pair, Kind, Category]


def drawn(draw: Random, kind: str) -> Form:
    """A form of a kind of `KINDS`, its name the expression without its constants."""
    text, gives, category = KINDS[kind](draw)
    basex = f"data({text.basex})" if gives == "text" else text.basex
    return Form(text.ours, category, (Template(text.ours, basex, gives),))


def _all_of(draw: Random, element: str) -> Pair:
    """A path to all elements of a name in Entries."""
    steps = line(element)
    members = "//sg:MemberServiceEPR/wsa:Address"
    paths = [
        Pair("/*/" + "/".join(steps), "/*/" + "/".join(steps)),
        # A relative path starts at the root element, in BaseX at the document.
        Pair("/".join(steps), "/*/" + "/".join(steps)),
    ]
    if element == "wsa:Address":
        return draw.choice([*paths, same(members)])
    paths += [same(f"//{element}"), same(f"/descendant::{element}")]
    paths.append(Pair(f".//{element}", f"/*//{element}"))
    if len(steps) > 2:
        paths.append(same(f"//{draw.choice(steps[:-1])}//{element}"))
        paths.append(same(f"//{steps[-2]}/{element}"))
    return draw.choice(paths)


def _some_of(draw: Random, element: str) -> tuple[Pair, Category]:
    """A path to elements of a name, with conditions; what it counts as."""
    path = _all_of(draw, element)
    how = draw.random()
    if how < 0.25:
        value = draw.choice(VALUES)
        path = of("%s[%s]", path, equality(draw, element, value))
        return path, "equality" if value.step == "." else "attribute"
    path = of("%s[%s]", path, condition(draw, element))
    if how > 0.6:
        path = of("%s[%s]", path, condition(draw, element))
    if how > 0.85:
        path = of("%s[%s]", path, same(draw.choice(("1", "last()", "position() < 3"))))
    return path, "other"


def _values_of(draw: Random, value: Value) -> tuple[Pair, Category]:
    """A path to some values."""
    path, category = _some_of(draw, value.element)
    return (path if value.step == "." else of(f"%s/{value.step}", path)), category


def _elements(draw: Random) -> _Drawn:
    element = draw.choice(ELEMENTS)
    path, category = _some_of(draw, element)
    how = draw.random()
    if how < 0.1 and element != "sg:Entry":
        path = of(draw.choice(("%s/..", "%s/parent::*", "%s/ancestor::sg:Entry")), path)
    elif how < 0.2:
        path = of(draw.choice(("%s/*", "%s/descendant::glue:State", "%s//glue:Load")), path)
    elif how < 0.3:
        path = of(f"%s/ancestor-or-self::{draw.choice(line(element))}", path)
    return path, "nodes", category


def _positioned(draw: Random) -> _Drawn:
    element = draw.choice(ELEMENTS)
    path = draw.choice((_all_of(draw, element), _some_of(draw, element)[0]))
    place = draw.choice(
        (
            "{place}",
            "last()",
            "last() - {waiting}",
            "position() <= {waiting}",
            "position() = {place}",
        )
    )
    return of(f"(%s)[{place}]", path), "nodes", "other"


def _texts(draw: Random) -> _Drawn:
    value = draw.choice(VALUES)
    path, category = _some_of(draw, value.element)
    if value.step == ".":
        return of("%s/text()", path), "text", category
    return of(f"%s/{draw.choice((value.step, value.step, '@*', '@*[2]'))}", path), "text", category


def _union(draw: Random) -> _Drawn:
    one, other = (_some_of(draw, draw.choice(ELEMENTS))[0] for _ in range(2))
    if draw.random() < 0.3:
        return of("(%s | %s)[{place}]", one, other), "nodes", "other"
    return of("%s | %s", one, other), "nodes", "other"


def _count(draw: Random) -> _Drawn:
    path, _ = _some_of(draw, draw.choice(ELEMENTS))
    return (
        of(draw.choice(("count(%s)", "count(%s)", "count(%s/@*)", "count(%s//*)")), path),
        "number",
        "count",
    )


def _number(draw: Random) -> _Drawn:
    path, _ = _values_of(draw, draw.choice(NUMBERS))
    first = Pair(path.ours, f"({path.basex})[1]")
    how = draw.choice(("sum", "first", "average", "length", "rounded"))
    if how == "sum":
        return of("sum(%s)", path), "number", "other"
    if how == "average":
        # A whole number divided by a whole number is an error in XQuery where the latter is 0.
        counted = Pair(f"count({path.ours})", f"number(count({path.basex}))")
        return of("sum(%s) div %s", path, counted), "number", "other"
    if how == "length":
        return of("string-length(%s)", first), "number", "other"
    if how == "rounded":
        return (
            of(f"{draw.choice(('floor', 'ceiling', 'round'))}(number(%s) div 8)", first),
            "number",
            "other",
        )
    return of("number(%s)", first), "number", "other"


def _string(draw: Random) -> _Drawn:
    value = draw.choice(VALUES)
    path, _ = _values_of(draw, value)
    first = Pair(path.ours, f"({path.basex})[1]")
    pattern = draw.choice(
        (
            "string(%s)",
            "name(%s)",
            "local-name(%s)",
            "concat(%s, '/{number}')",
            "substring-before(%s, '-')",
            "substring(%s, {waiting}, 3)",
            "translate(%s, '0123456789', 'abcdefghij')",
            "normalize-space(%s)",
        )
    )
    return of(pattern, first), "string", "other"


def _boolean(draw: Random) -> _Drawn:
    value = draw.choice(NUMBERS)
    path, _ = _values_of(draw, value)
    first = Pair(path.ours, f"({path.basex})[1]")
    how = draw.choice(("is", "compared", "counted", "text", "sets"))
    if how == "is":
        return of(draw.choice(("boolean(%s)", "not(%s)")), path), "boolean", "other"
    if how == "compared":
        pattern = draw.choice(
            (f"%s > {value.number}", f"%s = {value.number}", f"{value.number} <= %s")
        )
        return of(pattern, path), "boolean", "other"
    if how == "counted":
        return of("count(%s) > {cpus}", path), "boolean", "other"
    if how == "text":
        return of(f"starts-with(%s, '{value.start}')", first), "boolean", "other"
    return of("%s = %s", path, _values_of(draw, value)[0]), "boolean", "other"


#: By name; a run takes four of them.
KINDS: dict[str, Callable[[Random], _Drawn]] = {
    "elements": _elements,
    "positioned": _positioned,
    "texts": _texts,
    "union": _union,
    "count": _count,
    "number": _number,
    "string": _string,
    "boolean": _boolean,
}
