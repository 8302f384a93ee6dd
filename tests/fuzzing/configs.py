"""AggregatorConfigs of every type, whole or with a part that is not as it should be."""

from __future__ import annotations

from xml.sax.saxutils import escape

from hypothesis import strategies as st

from tests.fuzzing.names import NAMES
from tests.fuzzing.texts import ELEMENTS, NOTHING, PLAIN, any_of, content, mostly
from tests.fuzzing.xpaths import EXPRESSIONS
from tests.soap import AGG, XPATH

_MILLIS = mostly(
    st.sampled_from(["3600000", "60000", "2147483647", " 3600000\n", "+3600000", "0003600000"]),
    st.one_of(
        st.integers(-(2**70), 2**70).map(str),
        st.sampled_from(
            ["", "0", "-1", "1", "999", "2147483648", "1e6", "\u0663600000", "NaN", "0x9"]
        ),
        st.sampled_from(["9" * 19, "9" * 20, "9" * 5000, "3_600_000", "3600000.0", "36 00000"]),
        content(),
    ),
)
_PROBES = mostly(
    st.sampled_from(["aggregator-exec-test", "ping-test", " aggregator-exec-test "]),
    st.one_of(
        st.sampled_from(
            ["", ".", "..", "/bin/sh", "../../bin/sh", "nagios/../host", "a\tb", "x" * 5000]
        ),
        st.sampled_from(
            ["%2e%2e/a", "aggregator-exec-test/", "-h", "\u202e", "p:name", "__init__.py"]
        ),
        content(),
    ),
)
_DIALECTS = any_of(
    [f'Dialect="{XPATH}"'] * 4,
    ['Dialect=""', 'Dialect="urn:x"', "", f'dialect="{XPATH}"', f'agg:Dialect=" {XPATH} "'],
)
_MILLIS_NAMES = st.sampled_from(["agg:PollIntervalMillis"] * 5 + ["PollIntervalMillis", "p:Other"])


@st.composite
def _interval(draw: st.DrawFn) -> str:
    name = draw(_MILLIS_NAMES)
    declared = ' xmlns:p="urn:x"' if name.startswith("p:") else ""
    one = f"<{name}{declared}>{draw(_MILLIS)}</{name}>"
    return one * draw(st.sampled_from([1] * 12 + [0, 2]))


@st.composite
def _names(draw: st.DrawFn, element: str, most: int) -> str:
    found = draw(st.lists(NAMES, min_size=1, max_size=most))
    return "".join(f"<agg:{element}{name.declared}>{name.text}</agg:{element}>" for name in found)


@st.composite
def _expression(draw: st.DrawFn) -> str:
    text = escape(draw(EXPRESSIONS))
    if draw(st.integers(0, 10)) == 0:
        text += draw(ELEMENTS)
    return f"<agg:QueryExpression {draw(_DIALECTS)}>{text}</agg:QueryExpression>"


_BLOCKS = {
    "GetResourcePropertyPollType": _names("ResourcePropertyName", 1),
    "GetMultipleResourcePropertiesPollType": _names("ResourcePropertyNames", 4),
    "QueryResourcePropertiesPollType": _expression(),
    "ExecutionPollType": _PROBES.map("<agg:ProbeName>{}</agg:ProbeName>".format),
    "AggregatorSubscriptionType": _names("TopicExpression", 1),
    "AggregatorPullPointType": _names("TopicExpression", 2),
    "Nothing": content(),
}


@st.composite
def _block(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(list(_BLOCKS)))
    parts = [draw(_interval()), draw(_BLOCKS[name])]
    if draw(st.integers(0, 4)) == 0:
        parts.append(draw(ELEMENTS))
    if draw(st.integers(0, 4)) == 0:
        parts.reverse()
    return f"<agg:{name}>{''.join(parts)}</agg:{name}>"


_SPOKEN = st.sampled_from(["gt4", "oasis", "wsrf-lite", "", "gt5", " oasis "]).map(
    '<d:Dialect xmlns:d="urn:mds-aggregator:source">{}</d:Dialect>'.format
)


@st.composite
def _config(draw: st.DrawFn) -> str:
    inside = [draw(_block())]
    for more in (_SPOKEN, ELEMENTS, _block()):
        if draw(st.integers(0, 7)) == 0:
            inside.insert(draw(st.integers(0, len(inside))), draw(more))
    return f'<agg:AggregatorConfig xmlns:agg="{AGG}">{"".join(inside)}</agg:AggregatorConfig>'


#: Sources that do nothing within anybody's time.
IDLE = st.just(
    f'<agg:AggregatorConfig xmlns:agg="{AGG}"><agg:ExecutionPollType><agg:PollIntervalMillis>'
    "3600000</agg:PollIntervalMillis><agg:ProbeName>aggregator-exec-test</agg:ProbeName>"
    "</agg:ExecutionPollType></agg:AggregatorConfig>"
)
CONFIGS = st.one_of(
    IDLE, IDLE, _config(), _config(), mostly(_config(), st.one_of(NOTHING, ELEMENTS), 3)
)
#: What stands beside the configuration in a Content.
BESIDE = st.one_of(
    NOTHING,
    NOTHING,
    st.just("<agg:AggregatorData/>"),
    ELEMENTS.map("<agg:AggregatorData>{}</agg:AggregatorData>".format),
    ELEMENTS.map("<agg:AggregatorError>{}</agg:AggregatorError>".format),
    ELEMENTS,
    st.just('<p:Licence xmlns:p="urn:widgets"/>'),
    PLAIN.map(escape),
)
