"""XPath 1.0 from its grammar, and what is none, or costs more than it looks."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzzing.texts import PLAIN, any_of, mostly

_TESTS = any_of(
    ["*", "*", "node()", "text()", "comment()", "processing-instruction()", "sg:Entry", "rl:*"],
    [
        "agg:AggregatorConfig",
        "Entry",
        "processing-instruction('p')",
        "nobody:a",
        "é",
        "Ⰰ",
        "xml:id",
    ],
)
_AXES = any_of(
    ["", "", "", "@", "child::", "descendant::", "ancestor::", "ancestor-or-self::", "namespace::"],
    ["following::", "preceding-sibling::", "self::", "attribute::", "parent::", "nowhere::"],
)
_SLASHES = st.sampled_from(["/", "//", "/", "/ "])
_NUMBERS = st.sampled_from(
    ["0", "1", "-1", ".5", "1.", "1e3", "9" * 400, "0." + "0" * 400 + "1", "1 div 0", "0 div 0"]
)
_LITERALS = st.one_of(
    st.sampled_from(
        ["''", '"a"', "'\u0301'", "'" + "x" * 2000 + "'", "'unclosed", "']'", "'\ufeff'"]
    ),
    PLAIN.filter(lambda text: "'" not in text).map("'{}'".format),
)
_OPERATORS = st.sampled_from(
    [" = ", " != ", "<", ">=", " and ", " or ", "+", " - ", "*", " div ", " mod ", "|", ","]
)
_ROOTS = st.sampled_from(
    ["", "/", "//", ".", "..", "/..", "//..", "/*", "self::node()", "$v", "id('i')"]
)
_CALLS = any_of(
    ["count({})", "string({})", "local-name({})", "namespace-uri({})", "name({})", "not({})"],
    ["sum({})", "number({})", "boolean({})", "string-length({})", "normalize-space({})"],
    [
        "concat({0}, {0})",
        "contains({0}, {0})",
        "substring({}, 0 div 0)",
        "translate({0}, {0}, '')",
    ],
    ["round({})", "floor({})", "lang({})", "id({})", "position()", "last()", "last({})"],
    [
        "document({})",
        "re:test({}, 'a')",
        "unparsed-text({})",
        "true()",
        "true({})",
        "key('a', {})",
    ],
)


def _joined(first: str, rest: list[tuple[str, str]]) -> str:
    return first + "".join(slash + step for slash, step in rest)


def _deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    predicate = st.one_of(st.just(""), st.just(""), inner.map("[{}]".format))
    step = st.builds("{}{}{}".format, _AXES, _TESTS, predicate)
    return st.one_of(
        st.builds(_joined, _ROOTS, st.lists(st.tuples(_SLASHES, step), min_size=1, max_size=3)),
        st.builds("{}{}{}".format, inner, _OPERATORS, inner),
        st.builds(lambda call, value: call.format(value), _CALLS, inner),
        inner.map("({})".format),
        inner.map("-{}".format),
    )


#: Expressions of the grammar, most of them valid.
GRAMMAR = st.recursive(st.one_of(_NUMBERS, _LITERALS, _ROOTS, _TESTS), _deeper, max_leaves=8)
#: What has brought evaluators down.
HOSTILE = any_of(
    [
        "(" * 4000,
        "(" * 200 + "1" + ")" * 200,
        "[" * 300,
        "-" * 5000 + "1",
        "/*" * 3000,
        "//[",
        "//",
    ],
    [
        "1" + "+1" * 5000,
        "a" + "|a" * 4000,
        "*" + "[*" * 100 + "]" * 100,
        "not(" * 150 + "1" + ")" * 150,
    ],
    ["count(//*[count(//*[count(//*)])])", "//*//*//*//*//*//*", "string(//*)" * 2, "\u00a0/", ""],
    ["//namespace::*", "//namespace::*/..", "//@*/namespace::*", "/ancestor::node()", "..//../.."],
    ["'" + "\U0010ffff" * 4000 + "'", "concat(" + ", ".join(["//*"] * 200) + ")", "x" * 16_385],
    ["*[position() = last()]/following::node()/namespace::node()", "//text()|//@*|//comment()"],
    [
        "/|/*",
        "/ | //sg:Entry",
        "(/)[1]",
        "//sg:Entry[1]|//sg:Entry[last()]//@*",
        "(//*)[last()]/@*",
    ],
)
EXPRESSIONS = mostly(GRAMMAR, st.one_of(HOSTILE, PLAIN), seldom=6)
