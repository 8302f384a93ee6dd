"""The Body's child for each operation, in either dialect, its parts as they should be or not."""

from __future__ import annotations

from xml.sax.saxutils import escape

from hypothesis import strategies as st

from tests.fuzzing.configs import BESIDE, CONFIGS
from tests.fuzzing.names import NAMES, declarations
from tests.fuzzing.references import REFERENCES, VERSIONS
from tests.fuzzing.texts import ELEMENTS, LOCAL_NAMES, TREES, XSI
from tests.fuzzing.times import LIFETIMES, MOMENTS
from tests.fuzzing.xpaths import EXPRESSIONS
from tests.soap import XPATH, Family

SPECS = {
    "Add": "sg",
    "GetResourceProperty": "rp",
    "GetMultipleResourceProperties": "rp",
    "QueryResourceProperties": "rp",
    "GetResourcePropertyDocument": "rp",
    "SetTerminationTime": "rl",
    "Destroy": "rl",
}
_NIL = st.sampled_from([f' xmlns:i="{XSI}" i:nil="{value}"' for value in ("true", "1", "no")])


def operation(name: str, family: Family, inside: str) -> str:
    """The element of an operation."""
    spec = SPECS[name]
    return f"<{spec}:{name} {declarations(family)} {VERSIONS}>{inside}</{spec}:{name}>"


@st.composite
def _shuffled(draw: st.DrawFn, parts: list[str]) -> str:
    """The parts, seldom in another order, with one twice or away, or with something between."""
    change = draw(st.sampled_from(["no"] * 8 + ["order", "twice", "away", "between"]))
    if change == "order":
        parts = list(draw(st.permutations(parts)))
    elif change == "between":
        parts = [*parts, draw(TREES)]
    elif parts and change != "no":
        at = draw(st.integers(0, len(parts) - 1))
        parts = parts[:at] + parts[at : at + 1] * (2 if change == "twice" else 0) + parts[at + 1 :]
    return "".join(parts)


@st.composite
def _time(draw: st.DrawFn, name: str, values: st.SearchStrategy[str]) -> str:
    nil = draw(_NIL) if draw(st.integers(0, 6)) == 0 else ""
    return f"<{name}{nil}>{draw(values)}</{name}>"


@st.composite
def add(draw: st.DrawFn, family: Family) -> str:
    """Add."""
    content = draw(CONFIGS) + draw(BESIDE)
    if draw(st.integers(0, 8)) == 0:
        content = draw(BESIDE) + content
    typed = ""
    if family == "gt4":
        typed = f' xmlns:xsi="{XSI}" xsi:type="agg:AggregatorContent"'
    parts = [
        f"<sg:MemberEPR>{draw(REFERENCES)}</sg:MemberEPR>",
        f"<sg:Content{typed}>{content}</sg:Content>",
    ]
    if draw(st.booleans()):
        parts.append(draw(_time("sg:InitialTerminationTime", st.one_of(MOMENTS, LIFETIMES))))
    return operation("Add", family, draw(_shuffled(parts)))


@st.composite
def property_read(draw: st.DrawFn, family: Family) -> str:
    """GetResourceProperty, or GetMultipleResourceProperties."""
    if draw(st.booleans()):
        return operation("GetResourceProperty", family, draw(NAMES).text)
    names = draw(st.lists(NAMES, max_size=5))
    parts = [f"<rp:ResourceProperty{n.declared}>{n.text}</rp:ResourceProperty>" for n in names]
    return operation("GetMultipleResourceProperties", family, draw(_shuffled(parts)))


@st.composite
def query(draw: st.DrawFn, family: Family) -> str:
    """QueryResourceProperties."""
    dialect = draw(
        st.sampled_from([f' Dialect="{XPATH}"'] * 6 + ["", ' Dialect=""', ' dialect="urn:x"'])
    )
    text = escape(draw(EXPRESSIONS))
    if draw(st.integers(0, 15)) == 0:
        text += draw(ELEMENTS)
    expression = f"<rp:QueryExpression{dialect}>{text}</rp:QueryExpression>"
    return operation("QueryResourceProperties", family, draw(_shuffled([expression])))


@st.composite
def lifetime(draw: st.DrawFn, family: Family) -> str:
    """SetTerminationTime, or Destroy."""
    if draw(st.integers(0, 7)) == 0:
        return operation("Destroy", family, draw(TREES) if draw(st.booleans()) else "")
    parts = [draw(_time("rl:RequestedTerminationTime", MOMENTS))]
    if draw(st.integers(0, 2)) == 0:
        parts = [draw(_time("rl:RequestedLifetimeDuration", LIFETIMES))]
    return operation("SetTerminationTime", family, draw(_shuffled(parts)))


@st.composite
def document(draw: st.DrawFn, family: Family) -> str:
    """GetResourcePropertyDocument, which the drafts don't have."""
    return operation(
        "GetResourcePropertyDocument", family, draw(st.sampled_from(["", " ", "<a/>"]))
    )


@st.composite
def unknown(draw: st.DrawFn, family: Family) -> str:
    """What is no operation."""
    prefix = draw(st.sampled_from(["sg", "rp", "rl", "bf", "agg"]))
    name = draw(st.one_of(LOCAL_NAMES, st.sampled_from([*SPECS, "AddResponse", "Fault"])))
    if SPECS.get(name) == prefix:
        prefix = "bf"
    declared = f"{declarations(family)} {VERSIONS}"
    return f"<{prefix}:{name} {declared}>{draw(TREES)}</{prefix}:{name}>"
