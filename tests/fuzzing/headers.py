"""SOAP headers: addressing, keys of entries, what must be understood, what is in the way."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzzing.case import STANDING_KEYS
from tests.fuzzing.texts import ELEMENTS, LOCAL_NAMES, TREES, any_of, content, mostly
from tests.soap import AGG, SOAP11, SOAP12

_DEMANDS = st.sampled_from(["1", "true", " 1 ", "0", "false", "yes", "", "TRUE", "&#49;"])
_ROLES = any_of(
    ["", "http://schemas.xmlsoap.org/soap/actor/next", "urn:somebody"],
    [f"{SOAP12}/role/{name}" for name in ("next", "none", "ultimateReceiver")],
)
_ADDRESSING = ["To", "From", "ReplyTo", "FaultTo", "Action", "MessageID", "RelatesTo", "Strange"]
_ACTIONS = st.one_of(
    st.sampled_from(
        ["urn:a", "", "#", '"http://docs.oasis-open.org/wsrf/sg-2#Add"', '""', "a" * 9000]
    ),
    content(),
)


@st.composite
def _marks(draw: st.DrawFn, soap: str) -> str:
    """Attributes of SOAP on a header block."""
    if draw(st.integers(0, 3)):
        return ""
    version = draw(st.sampled_from([soap] * 5 + [SOAP11, SOAP12]))
    name = "actor" if version == SOAP11 else "role"
    marks = f' xmlns:m="{version}" m:mustUnderstand="{draw(_DEMANDS)}"'
    if draw(st.booleans()):
        marks += f' m:{name}="{draw(_ROLES)}"'
    return marks


@st.composite
def _addressing(draw: st.DrawFn, soap: str) -> str:
    prefix = draw(st.sampled_from(["wsa", "wsa", "w3", "w4", "w5"]))
    name = draw(st.sampled_from(_ADDRESSING))
    inside = draw(_ACTIONS)
    if name in ("From", "ReplyTo", "FaultTo"):
        inside = f"<{prefix}:Address>{inside}</{prefix}:Address>"
    return f"<{prefix}:{name}{draw(_marks(soap))}>{inside}</{prefix}:{name}>"


_KEYS = mostly(
    st.sampled_from([*STANDING_KEYS, f" {STANDING_KEYS[0]}\n"]),
    st.one_of(st.sampled_from(["", "0" * 32, "x" * 9000, "..", "&#9;", "\u0085"]), content()),
    seldom=3,
)
_GROUPS = st.sampled_from(["Fuzzed", "Fuzzed", "", "Capped", "fuzzed", "Fuzzed ", "\u00e9"])


@st.composite
def entry_key(draw: st.DrawFn, soap: str) -> str:
    """A header block that holds the key of an entry, or something like it."""
    group = f"<agg:GroupKey>{draw(_GROUPS)}</agg:GroupKey>" if draw(st.integers(0, 3)) else ""
    keys = f"<agg:EntryKey>{draw(_KEYS)}</agg:EntryKey>" * draw(st.sampled_from([1] * 8 + [0, 2]))
    name = draw(st.sampled_from(["i:ServiceGroupEntryKey"] * 3 + ["i:Any", "agg:EntryKey"]))
    return (
        f'<{name} xmlns:i="http://mds.globus.org/index" xmlns:agg="{AGG}"{draw(_marks(soap))}>'
        f"{group}{keys}</{name}>"
    )


@st.composite
def _reference(draw: st.DrawFn, soap: str) -> str:
    wanted = draw(st.sampled_from(["true", "1", "false", ""]))
    return (
        f'<p:{draw(LOCAL_NAMES)} xmlns:p="urn:kept" w5:IsReferenceParameter="{wanted}"'
        f"{draw(_marks(soap))}/>"
    )


@st.composite
def _strange(draw: st.DrawFn, soap: str) -> str:
    namespace = draw(st.sampled_from(["urn:x", "a&amp;b", "urn:" + "y" * 1000]))
    name = draw(LOCAL_NAMES)
    return f'<p:{name} xmlns:p="{namespace}"{draw(_marks(soap))}>{draw(TREES)}</p:{name}>'


_SECURITY = st.just(
    '<o:Security xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext'
    '-1.0.xsd"><o:UsernameToken><o:Username>a</o:Username></o:UsernameToken></o:Security>'
)


def blocks(soap: str) -> st.SearchStrategy[str]:
    """Any number of header blocks, for an envelope of that version."""
    return st.lists(
        st.one_of(
            _addressing(soap),
            _addressing(soap),
            entry_key(soap),
            _reference(soap),
            _strange(soap),
            _SECURITY,
            ELEMENTS,
        ),
        max_size=4,
    ).map("".join)
