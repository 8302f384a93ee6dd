"""Good messages with bytes that are not: cut, doubled, turned, in other encodings, or too much."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from tests.fuzzing.case import Case
from tests.fuzzing.envelopes import ANY
from tests.fuzzing.texts import any_of
from tests.soap import NS, SOAP11, SOAP12

#: What is put in somewhere.
TOKENS = any_of(
    [b"<", b">", b"&", b"&amp;", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?", b"?>", b"</", b"/>"],
    [
        b'"',
        b"'",
        b"=",
        b":",
        b"\x00",
        b"\x01",
        b"\x7f",
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\r",
    ],
    [b"\xef\xbb\xbf", b"\xfe\xff", b"&#0;", b"&#x110000;", b"&e;", b"xmlns=''", b"<!DOCTYPE a>"],
    [
        b"<?xml version='1.0' encoding='utf-7'?>",
        b" xml:id='i'",
        b"xmlns:s='urn:x'",
        b"%s%n",
        b"{}",
    ],
    [b"9" * 400, b"A" * 70_000, b"<a>" * 130, b"<a>" * 300 + b"</a>" * 300, b"<a/>" * 3000],
    [b" a=''" * 2, b"<a" + b" xmlns:p%d='urn:p'" * 1 + b"/>", "\u202e\ufffe\U0010ffff".encode()],
)
_MANY = b"<m " + b" ".join(b"xmlns:n%d='urn:n'" % number for number in range(140)) + b"/>"
#: What is put before everything.
FRONTS = any_of(
    [
        b"<!DOCTYPE s>",
        b"<!DOCTYPE s [<!ENTITY e 'x'>]>",
        b" ",
        b"\n<?xml version='1.0'?>",
        b"\xef\xbb\xbf",
    ],
    [b"\xef\xbb\xbf\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00", b"<!-- -->", b"<?p?>", b"x"],
    [b"<?xml version='1.0' encoding='%s'?>" % name for name in (b"utf-16", b"latin-1", b"ebcdic")],
    [b"<!--" + b"x" * 9000 + b"-->", b"<?xml version='1.0' encoding='" + b"u" * 3000 + b"'?>"],
)
_ENCODINGS = ["utf-16", "utf-16le", "utf-16be", "utf-32", "latin-1", "cp1252", "utf-7", "cp037"]
_CHARSETS = any_of(
    ["utf-8", "utf-16", "iso-8859-1", "us-ascii", "windows-1252", "x", "", '"utf-8"', "utf-8;a=b"],
    ["'utf-16'", "UTF-16LE", "idna", "zlib", "undefined", "unicode_escape", "u" * 3000, "\u00e9"],
)
_TAG = re.compile(rb"<[^<>]{1,400}>")

Change = Callable[[st.DrawFn, Case], Case]


def _at(draw: st.DrawFn, data: bytes) -> int:
    return draw(st.integers(0, len(data)))


def _cut(draw: st.DrawFn, case: Case) -> Case:
    return replace(case, content=case.content[: _at(draw, case.content)])


def _drop(draw: st.DrawFn, case: Case) -> Case:
    at = _at(draw, case.content)
    rest = case.content[at + draw(st.integers(1, 40)) :]
    return replace(case, content=case.content[:at] + rest)


def _turn(draw: st.DrawFn, case: Case) -> Case:
    data = bytearray(case.content or b"x")
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return replace(case, content=bytes(data))


def _insert(draw: st.DrawFn, case: Case) -> Case:
    at = _at(draw, case.content)
    token = draw(st.one_of(TOKENS, st.just(_MANY)))
    return replace(case, content=case.content[:at] + token + case.content[at:])


def _tag(draw: st.DrawFn, case: Case) -> Case:
    """A tag twice, away, or in another's place."""
    found = list(_TAG.finditer(case.content))
    if not found:
        return _turn(draw, case)
    one, other = (found[draw(st.integers(0, len(found) - 1))] for _ in range(2))
    new = draw(
        st.sampled_from([b"", one[0] * 2, other[0], b"<!--" + one[0] + b"-->", b"<a>" + one[0]])
    )
    return replace(case, content=case.content[: one.start()] + new + case.content[one.end() :])


def _inside(draw: st.DrawFn, case: Case) -> Case:
    """Something between two tags, so that the message stays well-formed more often."""
    found = list(_TAG.finditer(case.content))
    at = found[draw(st.integers(0, len(found) - 1))].end() if found else 0
    new = draw(st.one_of(TOKENS, st.just(_MANY)))
    return replace(case, content=case.content[:at] + new + case.content[at:])


def _front(draw: st.DrawFn, case: Case) -> Case:
    return replace(case, content=draw(FRONTS) + case.content)


def _encode(draw: st.DrawFn, case: Case) -> Case:
    """Other bytes for the same text, announced or not."""
    name = draw(st.sampled_from(_ENCODINGS))
    text = case.content.decode("utf-8", "replace")
    if draw(st.booleans()):
        text = f"<?xml version='1.0' encoding='{draw(st.sampled_from(_ENCODINGS))}'?>{text}"
    return replace(case, content=text.encode(name, "xmlcharrefreplace"))


def _charset(draw: st.DrawFn, case: Case) -> Case:
    headers = tuple(pair for pair in case.headers if pair[0] != "Content-Type")
    kind = draw(st.sampled_from(["text/xml", "application/soap+xml", "text/plain", "", "/", "a;b"]))
    given = ("Content-Type", f"{kind}; charset={draw(_CHARSETS)}")
    return replace(case, headers=(given, *headers))


def _space(draw: st.DrawFn, case: Case) -> Case:
    """One namespace in another's place."""
    known = [SOAP11, SOAP12, *(uri for family in NS.values() for uri in family.values())]
    present = [uri for uri in known if uri.encode() in case.content]
    if not present:
        return _turn(draw, case)
    old = draw(st.sampled_from(present))
    new = draw(st.sampled_from([*known, "urn:x", "", old + "/", old.upper()]))
    times = draw(st.sampled_from([1, -1]))
    return replace(case, content=case.content.replace(old.encode(), new.encode(), times))


_CHANGES: tuple[Change, ...] = (
    _cut,
    _drop,
    _turn,
    _insert,
    _tag,
    _inside,
    _inside,
    _front,
    _encode,
    _charset,
    _space,
)


@st.composite
def _spoilt(draw: st.DrawFn) -> Case:
    case = draw(ANY)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        case = draw(st.sampled_from(_CHANGES))(draw, case)
    return replace(case, kind="spoilt", soap="", family="")


#: Messages with one to three changes; nobody can say beforehand what they are.
SPOILT = _spoilt()
NOISE = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"\xef\xbb\xbf", b"<a/>", b"<" * 9000, b"\x1f\x8b\x08\x00", b"{}", b"--b\r\n"]
    ),
).map(lambda data: Case("noise", data, "/wsrf/services/Fuzzed", (("Content-Type", "text/xml"),)))
