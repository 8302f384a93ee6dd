"""What may stand in a predicate, drawn at random: the lower half of the grammar.

Every path in it leads to one value of the same Entry, since functions of XQuery refuse more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple


class Pair(NamedTuple):
    """A piece of an expression, as it is written for the service and for BaseX."""

    ours: str
    basex: str


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value stands, and templates: all of its text, a part, the beginning, the number."""

    element: str
    step: str
    text: str
    part: str
    start: str
    number: str = ""


#: Elements with their parents, in the order of the document.
PARENTS = {
    "sg:MemberServiceEPR": "sg:Entry",
    "wsa:Address": "sg:MemberServiceEPR",
    "sg:Content": "sg:Entry",
    "agg:AggregatorData": "sg:Content",
    "glue:Cluster": "agg:AggregatorData",
    "glue:ComputingElement": "glue:Cluster",
    "glue:Info": "glue:ComputingElement",
    "glue:State": "glue:ComputingElement",
    "glue:Policy": "glue:ComputingElement",
    "glue:Load": "glue:ComputingElement",
    "glue:Description": "glue:Cluster",
}
ELEMENTS = ("sg:Entry", *PARENTS)
_CLUSTER, _STATE = "glue:Cluster", "glue:State"
VALUES = (
    Value("wsa:Address", ".", "{address}", "member-{digits}", "http://member-{digits}"),
    Value(_CLUSTER, "@glue:Name", "{cluster}", "{digits}", "cluster-{digits}"),
    Value(_CLUSTER, "@glue:Site", "{site}", "{site}", "site-"),
    Value("glue:ComputingElement", "@glue:UniqueID", "{queue}", "{digits}", "queue-{digits}"),
    Value("glue:Info", "@glue:HostName", "{host}.example.org", "{digits}.", "{host}"),
    Value("glue:Info", "@glue:LRMSType", "PBS", "B", "P"),
    Value(_STATE, "@glue:Status", "{status}", "{status}", "{status}"),
    Value(_STATE, "@glue:FreeCPUs", "{cpus_text}", "{waiting}", "00", "{cpus}"),
    Value(_STATE, "@glue:RunningJobs", "{running_text}", "{waiting}", "00", "{running}"),
    Value(_STATE, "@glue:TotalJobs", "{jobs}", "{running}", "0", "{jobs_number}"),
    Value(_STATE, "@glue:WaitingJobs", "{waiting_text}", "{waiting}", "000", "{waiting}"),
    Value("glue:Load", ".", "{load}", "{running}", "0.", "{load}"),
)
NUMBERS = tuple(value for value in VALUES if value.number)
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


def of(pattern: str, *parts: Pair) -> Pair:
    return Pair(
        pattern % tuple(part.ours for part in parts), pattern % tuple(part.basex for part in parts)
    )


def same(text: str) -> Pair:
    return Pair(text, text)


def line(element: str) -> list[str]:
    """The element and all above it, from the Entry down."""
    return [*(line(PARENTS[element]) if element in PARENTS else []), element]


def _way(draw: Random, context: str, element: str) -> str:
    """A path from an element to another of the same Entry, of which there is one."""
    above, below = line(context), line(element)
    shared = sum(one == other for one, other in zip(above, below, strict=False))
    up, down = len(above) - shared, below[shared:]
    if not up and not down:
        return "."
    ways = [[".."] * up + down]
    if up:
        ways.append([f"ancestor::{above[shared - 1]}", *down])
    if up == 1 and not down:
        ways.append([f"parent::{element}"])
    if up == 1 and len(down) == 1:
        order = list(PARENTS)
        side = "following" if order.index(element) > order.index(context) else "preceding"
        ways.append([f"{side}-sibling::{element}"])
    # There are two addresses in an Entry, and functions take one in XQuery.
    if not up and not (element == "wsa:Address" and context == "sg:Entry"):
        ways += [[f"descendant::{element}"], [".", "", element]]
    return "/".join(draw.choice(ways))


def _value(draw: Random, context: str, value: Value) -> str:
    way = _way(draw, context, value.element)
    if value.step == ".":
        return way
    return value.step if way == "." else f"{way}/{value.step}"


def equality(draw: Random, context: str, value: Value, *, indexed: bool = True) -> Pair:
    """A value is some text; `indexed` writes it for BaseX so that its text index is asked."""
    path = _value(draw, context, value)
    if not indexed:
        return same(f"{path} = '{value.text}'")
    text = path if value.step != "." else "text()" if path == "." else f"{path}/text()"
    return Pair(f"{path} = '{value.text}'", f"{text} = '{value.text}'")


def _comparison(draw: Random, context: str) -> Pair:
    value = draw.choice(NUMBERS)
    sides = [_value(draw, context, value), value.number]
    draw.shuffle(sides)
    return same(f"{sides[0]} {draw.choice(COMPARISONS)} {sides[1]}")


def _two_values(draw: Random, context: str) -> Pair:
    one, other = (_value(draw, context, value) for value in draw.sample(NUMBERS, 2))
    operator = draw.choice(COMPARISONS)
    if operator in ("=", "!="):
        return same(f"{one} {operator} {other}")
    # XQuery would compare them as texts.
    return Pair(f"{one} {operator} {other}", f"number({one}) {operator} number({other})")


def _arithmetic(draw: Random, context: str) -> Pair:
    value, other = draw.sample(NUMBERS, 2)
    one = _value(draw, context, value)
    two = _value(draw, context, other)
    return same(
        draw.choice(
            (
                f"{one} mod 10 = {{waiting}}",
                f"{one} * 2 > {value.number}",
                f"{one} + {two} <= {value.number}",
                f"{one} - {two} > {{waiting}}",
                f"{one} div 2 < {value.number}",
                f"floor({one} div 8) = {{waiting}}",
            )
        )
    )


def _text_function(draw: Random, context: str) -> Pair:
    value = draw.choice(VALUES)
    path = _value(draw, context, value)
    return same(
        draw.choice(
            (
                f"contains({path}, '{value.part}')",
                f"starts-with({path}, '{value.start}')",
                f"substring-after({path}, '-') = '{{number}}'",
                f"substring({path}, 1, string-length('{value.start}')) = '{value.start}'",
                f"normalize-space({path}) = '{value.text}'",
                f"translate({path}, '-', '_') != '{value.text}'",
                f"string-length({path}) > {{waiting}}",
                f"concat({path}, '!') = '{value.text}!'",
            )
        )
    )


def _structure(draw: Random, context: str) -> Pair:
    value = draw.choice(VALUES)
    return same(
        draw.choice(
            (
                f"not({_value(draw, context, value)})",
                f"{_value(draw, context, value)}",
                "count(.//@*) > {waiting}",
                "count(*) = {waiting}",
                "@*[. = '{status}']",
                ".//*/@* = '{cluster}'",
                ".//*[local-name() = 'State']/@*[local-name() = 'WaitingJobs'] = {waiting}",
                "*[{waiting}]",
                "*[last()][self::glue:Load = {load}]",
                "text()",
                "comment()",
                "string(.//glue:Load) = '{load}'",
            )
        )
    )


def _place(draw: Random, context: str) -> Pair:
    return same(
        draw.choice(
            (
                "position() = {place}",
                "position() > {place}",
                "position() = last()",
                "last() - position() = {place}",
                "position() mod 100 = {waiting}",
                "position() < {place} and position() >= {place}",
            )
        )
    )


def _term(draw: Random, context: str, indexed: bool) -> Pair:
    terms: tuple[Callable[[Random, str], Pair], ...] = (
        lambda draw, context: equality(draw, context, draw.choice(VALUES), indexed=indexed),
        _comparison,
        _two_values,
        _arithmetic,
        _text_function,
        _structure,
        _place,
    )
    return draw.choices(terms, (4, 4, 2, 2, 4, 2, 1))[0](draw, context)


def condition(draw: Random, context: str, depth: int = 2, *, indexed: bool = True) -> Pair:
    """What may stand in a predicate on an element."""
    how = draw.random()
    if not depth or how < 0.5:
        return _term(draw, context, indexed)
    if how < 0.6:
        return of("not(%s)", condition(draw, context, depth - 1, indexed=indexed))
    # BaseX 9.7 loses one side of an "or" where one index has to be asked for each.
    operator, indexed = ("and", indexed) if how < 0.85 else ("or", False)
    one, other = (condition(draw, context, depth - 1, indexed=indexed) for _ in range(2))
    return of(f"(%s) {operator} (%s)", one, other)
