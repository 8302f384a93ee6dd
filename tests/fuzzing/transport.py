"""HTTP as clients should not write it: bodies announced wrongly, strange headers, other methods."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from tests.fuzzing.case import Case, Framing
from tests.fuzzing.envelopes import ANY
from tests.fuzzing.texts import any_of

_FRAMINGS: list[Framing] = ["length", "chunked", "short", "long", "none"]
_HEADERS = any_of(
    [
        ("Content-Type", value)
        for value in ("", "multipart/related", "text/html", ";", 'a="', "x" * 4000)
    ],
    [("Content-Encoding", value) for value in ("gzip", "identity", "br, gzip", "\u00e9")],
    [
        ("Accept-Encoding", value)
        for value in ("gzip", "gzip;q=0", "*;q=1.5", "gzip;q=x", ",,;", "")
    ],
    [("Expect", value) for value in ("100-continue", "200-maybe")],
    [("SOAPAction", value) for value in ("", "\t", '"', "a" * 4000, "\u00e9", "urn:a#b")],
    [("Connection", "upgrade"), ("X-Forwarded-For", "a, b"), ("Host", "evil:99999"), ("Host", "")],
    [("Warning", "x"), ("Cookie", "a" * 3000), ("X_Under", "1"), ("Content-Length", "-1")],
    [("Content-Length", value) for value in ("abc", "1, 1", "0x10", "9" * 30)],
    [("Transfer-Encoding", value) for value in ("gzip", "chunked, identity", "chunked, chunked")],
)
_TARGETS = any_of(
    [
        "/wsrf/services/Fuzzed?wsdl",
        "/wsrf/services/Fuzzed?wsdl=gt4",
        "/wsrf/services/Fuzzed?wsdl=x",
    ],
    [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/schemas/",
        "/schemas/../pyproject.toml",
        "/%2e%2e/",
    ],
    ["/schemas/%2e%2e/%2e%2e/etc/passwd", "/wsrf/services/%ff", "/a?" + "q" * 3000, "/%00", "*"],
    ["/wsrf/services/FuzzedEntry?wsdl", "http://127.0.0.1:1/", "/wsrf/services/Fuzzed?%00=%ff"],
    ["/wsrf/services", "/favicon.ico", "/;a=b", "/wsrf/services/Fuzzed;x?wsdl", "//a/b", "/#a"],
)
_METHODS = st.sampled_from(
    ["GET", "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND", "post"]
)
_RAW = st.one_of(
    st.binary(max_size=120).map(lambda data: data + b"\r\n\r\n"),
    any_of(
        [
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\r\n\r\n",
            b"POST / HTTP/1.1\r\n\r\n",
            b"\r\n\r\n",
            b"\x16\x03\x01",
        ],
        [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"],
        [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"],
        [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n"],
        [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n"],
        [
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Length: 2\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        ],
        [
            b"GET / HTTP/1.1\r\nHost: a\r\nA" + b"x" * 9000 + b": b\r\n\r\n",
            b"GET / HTTP/1.1\nHost: a\n\n",
        ],
        [
            b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
        ],
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nA: \x00\r\n\r\n"],
    ),
)


@st.composite
def _posted(draw: st.DrawFn) -> Case:
    case = draw(ANY)
    given = draw(st.lists(_HEADERS, max_size=2, unique_by=lambda pair: pair[0]))
    names = {name for name, _ in given}
    kept = tuple(pair for pair in case.headers if pair[0] not in names)
    framing = draw(st.sampled_from(_FRAMINGS))
    return replace(case, kind="http", headers=(*kept, *given), framing=framing, soap="", family="")


@st.composite
def _asked(draw: st.DrawFn) -> Case:
    given = draw(st.lists(_HEADERS, max_size=2, unique_by=lambda pair: pair[0]))
    return Case("http", b"", draw(_TARGETS), tuple(given), method=draw(_METHODS), framing="none")


#: Requests whose HTTP is strange.
HTTP = st.one_of(
    _posted(), _posted(), _asked(), _RAW.map(lambda data: Case("http", data, "", framing="raw"))
)
