"""Envelopes of both versions of SOAP in the three spellings, and the requests that carry them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tests.fuzzing import bodies
from tests.fuzzing.case import STANDING_KEYS, Case
from tests.fuzzing.headers import blocks, entry_key
from tests.fuzzing.references import VERSIONS
from tests.fuzzing.texts import ELEMENTS, any_of
from tests.soap import NS, SOAP11, SOAP12, Family

Body = Callable[[Family], st.SearchStrategy[str]]

GROUPS = ("Fuzzed", "Ruled", "Plain", "Renewing", "Capped")
_GROUP_TARGETS = st.sampled_from(
    [f"/wsrf/services/{name}" for name in ("Fuzzed", *GROUPS)] + ["/wsrf/services/Fuzzed/"]
)
_ENTRY_TARGETS = any_of(
    [f"/wsrf/services/FuzzedEntry/{key}" for key in STANDING_KEYS] * 3,
    ["/wsrf/services/FuzzedEntry", "/wsrf/services/FuzzedEntry/", "/wsrf/services/Fuzzed"],
    ["/wsrf/services/FuzzedEntry/%00", "/wsrf/services/FuzzedEntry/%ff%C3%A9", "/wsrf/services/"],
    ["/wsrf/services/FuzzedEntry/a/b", "/wsrf/services/Nobody", "/", "//wsrf//services//Fuzzed"],
    ["/wsrf/services/CappedEntry/" + STANDING_KEYS[0], "/wsrf/services/FuzzedEntry/" + "k" * 3000],
)
_PROLOGS = any_of(
    [""] * 5,
    ['<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-8"?>\n', "<!-- c --><?p d?>\n"],
    ['<?xml version="1.1"?>', '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'],
)
_TAILS = st.sampled_from([""] * 6 + ["\n\n", "<!-- c -->", "<?p d?>"])
_MEDIA = {SOAP11: "text/xml", SOAP12: "application/soap+xml"}
_AROUND = st.sampled_from(
    [""] * 8 + ['<x:a xmlns:x="urn:x"/>', "<!-- c -->", "text", "<?p?>", "<a/>"]
)


@st.composite
def _envelope(draw: st.DrawFn, body: str, soap: str, spelling: str) -> str:
    """An envelope around a Body's child, with headers."""
    family = "gt4" if spelling == "gt4" else "oasis"
    header = draw(blocks(soap)) if draw(st.booleans()) else ""
    if spelling == "lite":
        prefix, _, name = body[1:].partition(" ")[0].partition(":")
        namespace = NS[family].get(prefix, "urn:x")
        header += f'<wsa:Action>"{namespace}#{name}"</wsa:Action>'
    if draw(st.integers(0, 2)) == 0:
        header += draw(entry_key(soap))
    if header or draw(st.booleans()):
        header = f"<s:Header>{header}</s:Header>"
    style = draw(st.sampled_from([""] * 6 + [' s:encodingStyle="urn:x"', ' xml:lang="de" b="1"']))
    before, after = draw(_AROUND), draw(_AROUND)
    inside = f"{header}{before}<s:Body{style}>{body}{after}</s:Body>{draw(_AROUND)}"
    declared = f'xmlns:s="{soap}" xmlns:wsa="{NS[family]["wsa"]}" {VERSIONS}'
    envelope = f"<s:Envelope {declared}{style}>{inside}</s:Envelope>"
    return f"{draw(_PROLOGS)}{envelope}{draw(_TAILS)}"


@st.composite
def message(draw: st.DrawFn, kind: str, body: Body) -> Case:
    """A request whose envelope is as its strategies wrote it."""
    spelling = draw(st.sampled_from(["gt4", "oasis", "lite"]))
    family: Family = "gt4" if spelling == "gt4" else "oasis"
    soap = draw(st.sampled_from([SOAP11, SOAP12]))
    text = draw(_envelope(draw(body(family)), soap, spelling))
    entry = kind in ("lifetime", "read", "query", "document") and draw(st.integers(0, 2))
    target = draw(_ENTRY_TARGETS if kind == "lifetime" or entry else _GROUP_TARGETS)
    action = draw(st.sampled_from(['""', "", "urn:a", '"urn:a#b"', "\u00e9", "#"]))
    headers = (("Content-Type", f"{_MEDIA[soap]}; charset=utf-8"), ("SOAPAction", action))
    return Case(kind, text.encode("utf-8", "replace"), target, headers, soap, family)


def operations() -> dict[str, st.SearchStrategy[Case]]:
    """Requests by the kind of their operation."""
    wanted: dict[str, Body] = {
        "add": bodies.add,
        "lifetime": bodies.lifetime,
        "read": bodies.property_read,
        "query": bodies.query,
        "document": bodies.document,
        "unknown": bodies.unknown,
    }
    return {kind: message(kind, body) for kind, body in wanted.items()}


#: Any request with an envelope that is whole.
ANY = st.one_of(*operations().values())
#: Elements that stand alone: what is well-formed and no envelope.
NO_ENVELOPE = ELEMENTS
