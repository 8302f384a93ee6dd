"""Endpoint references: as every version of WS-Addressing writes them, and as none does."""

from __future__ import annotations

from xml.sax.saxutils import escape

from hypothesis import strategies as st

from tests.fuzzing.texts import ELEMENTS, MARKUP, NOTHING, PLAIN, any_of, content, mostly

#: Members that are on this host and refuse at once; nothing else is ever to be called.
MEMBERS = any_of(
    ["http://127.0.0.1:1/member", "https://127.0.0.1:1/m?a=1&amp;b=2#c", "http://[::1]:1/m"],
    ["http://127.1:1/m", "http://u:p@127.0.0.1:1/", "http://127.0.0.1:1/%00%2e%2e/\u00e9"],
)
#: Addresses that may be registered with some source or none, and are never called.
_STRANGE = st.one_of(
    any_of(
        [
            "",
            " ",
            "urn:uuid:1",
            "mailto:a@b",
            "x",
            "http:",
            "http:///",
            "http://",
            "//127.0.0.1:1/",
        ],
        ["ftp://127.0.0.1:1/", "gsiftp://[fe80::1%25lo]/a", "http://[::1", "http://127.0.0.1:0/"],
        [
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:-1/",
            "http://127.0.0.1:1:1/",
            "http://@:1/",
        ],
        [
            "http://127.0.0.1:1/a b",
            "http://127.0.0.1:1/\ta",
            "http://127.0.0.1:1/\u202e",
            "javascript:1",
        ],
        ["urn:" + "x" * 4092, "urn:" + "x" * 4093, "urn://\u0131\u0307.\u3002/", "urn://xn--a/"],
        [
            "urn://0x7f.1/",
            "urn://" + "a" * 300 + "/",
            "urn://\u0662/",
            "urn:\U0010ffff",
            "urn:\u00a0",
        ],
        ["@GROUP@", " @GROUP@ ", "@GROUP@/", "@GROUP@/../x", "@GROUP@?a", "@GROUP@Entry"],
    ),
    content(),
)
ADDRESSES = mostly(MEMBERS, _STRANGE, seldom=4)

_PREFIXES = st.sampled_from(["wsa", "wsa", "wsa", "w3", "w4", "w5", "none"])
#: Declared beside the dialect's own `wsa`, so that any version may stand anywhere.
VERSIONS = (
    'xmlns:w3="http://schemas.xmlsoap.org/ws/2004/03/addressing" '
    'xmlns:w4="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:w5="http://www.w3.org/2005/08/addressing" xmlns:none="urn:none"'
)
_KEPT = st.one_of(
    ELEMENTS,
    st.just('<w:Key xmlns:w="urn:widgets" w:id="7">7</w:Key>'),
    st.just('<p:a xmlns:p="urn:widgets" xml:id="twice"/>' * 2),
    MARKUP,
)
_INTERFACES = st.sampled_from(
    ["p:PortType", "p:Other", "nobody:PortType", "PortType", "p:PortType p:Other", "", ":", "p:"]
)


@st.composite
def _part(draw: st.DrawFn) -> str:
    """A child of an endpoint reference."""
    prefix = draw(_PREFIXES)
    name = draw(
        any_of(
            ["ReferenceProperties", "ReferenceParameters", "PortType", "ServiceName", "Metadata"],
            ["Policies", "Address", "EndpointReference"],
        )
    )
    if name == "PortType":
        inside = draw(_INTERFACES)
    elif name in ("Address", "EndpointReference"):
        inside = draw(ADDRESSES)
    else:
        inside = "".join(draw(st.lists(_KEPT, max_size=3)))
    return f'<{prefix}:{name} xmlns:p="urn:widgets">{inside}</{prefix}:{name}>'


@st.composite
def _reference(draw: st.DrawFn) -> str:
    prefix = draw(_PREFIXES)
    address = f"<{prefix}:Address>{draw(ADDRESSES)}</{prefix}:Address>"
    parts = [address, *draw(st.lists(st.one_of(_part(), ELEMENTS), max_size=3))]
    whole = "".join(draw(st.permutations(parts)) if draw(st.booleans()) else parts)
    if draw(st.integers(0, 5)) == 0:
        whole = f"<wsa:EndpointReference>{whole}</wsa:EndpointReference>"
    return whole


#: Children of an element of EndpointReferenceType; `VERSIONS` must be declared around them.
_GOOD = MEMBERS.map("<wsa:Address>{}</wsa:Address>".format)
REFERENCES = st.one_of(
    _GOOD,
    _GOOD,
    _GOOD,
    _reference(),
    _reference(),
    _reference(),
    mostly(_reference(), st.one_of(NOTHING, ELEMENTS, PLAIN.map(escape)), seldom=3),
)
