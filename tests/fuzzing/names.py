"""QNames as content of an element, their prefixes declared, shadowed or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

from aggregator.wire.namespaces import OASIS_TOPICS
from tests.fuzzing.texts import HEALTH, LOCAL_NAMES, URIS, any_of, content, mostly
from tests.notified import NT
from tests.soap import AGG, NS, Family

#: Properties of groups and of entries, by the prefixes that messages declare.
PROPERTIES = any_of(
    ["sg:Entry", "sg:MembershipContentRule", "agg:RegistrationCount", "rl:CurrentTime"],
    ["rl:TerminationTime", "sg:MemberEPR", "sg:Content", "sg:ServiceGroupEPR", "h:health"],
    ["nt:Topic", "nt:TopicExpression", "nt:FixedTopicSet", "top:TopicSet"],
)


@dataclass(frozen=True, slots=True)
class Name:
    """A QName as text, and the declarations that its element makes."""

    text: str
    declared: str = ""


def declarations(family: Family) -> str:
    """The declarations that messages make on the operation's element."""
    known = {**NS[family], "agg": AGG, "h": HEALTH, "nt": NT[family], "top": OASIS_TOPICS}
    return " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in known.items())


_STRANGE = st.one_of(
    LOCAL_NAMES,
    st.builds("{}:{}".format, st.sampled_from(["sg", "p", "nobody", "xml", "xmlns"]), LOCAL_NAMES),
    st.sampled_from(
        ["", ":", "a:", ":a", "a:b:c", "{urn:x}a", "1a", "sg:", "*", "sg:*", "sg :Entry"]
    ),
    st.sampled_from(
        ["Entry", "CurrentTime", "sg:Entry sg:Entry", "sg:<!-- c -->Entry", "\u00a0sg:a"]
    ),
    content(),
)


@st.composite
def _name(draw: st.DrawFn) -> Name:
    text = draw(mostly(PROPERTIES, _STRANGE, seldom=3))
    if draw(st.integers(0, 3)):
        return Name(text)
    prefix = draw(st.sampled_from(["xmlns", "xmlns:sg", "xmlns:p", "xmlns:rl", "xmlns:é"]))
    return Name(text, f" {prefix}={quoteattr(draw(URIS))}")


NAMES = _name()
