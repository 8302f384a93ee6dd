"""Bad input gets a clear error, in one fault of the protocol, and changes nothing."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from lxml import etree

from tests import soap
from tests.service import RunningService
from tests.soap import NS, SOAP11, SOAP12

ADD = soap.add_body("http://127.0.0.1:1/member")
BOMB = (
    b'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>&b;</s:Body>'
    b"</s:Envelope>"
)

MALFORMED = {
    "nothing": (b"", "not well-formed"),
    "no XML": (b"hello", "not well-formed"),
    "half an envelope": (soap.envelope(ADD)[:-20], "not well-formed"),
    "DOCTYPE": (b"<!DOCTYPE s>" + soap.envelope(ADD), "DOCTYPE"),
    "entity bomb": (BOMB, "DOCTYPE"),
    "unknown encoding": (b'<?xml version="1.0" encoding="utf-7"?><a/>', "utf-7"),
    "no envelope": (b"<html><body>hello</body></html>", "not an Envelope"),
    "wrong envelope": (b'<s:Envelope xmlns:s="urn:soap"/>', "not an Envelope"),
    "no body": (f'<s:Envelope xmlns:s="{SOAP11}"/>'.encode(), "no Body"),
    "empty body": (soap.envelope(""), "Body is empty"),
    "deep nesting": (soap.envelope("<a>" * 200 + "</a>" * 200), "nested"),
    "many nodes": (soap.envelope("<a/>" * 200_001), "at most 200000 are read"),
    "unknown operation": (soap.envelope('<x:Frob xmlns:x="urn:x"/>'), "{urn:x}Frob"),
    "operation without namespace": (soap.envelope("<Add/>"), "Add is no operation"),
    "operation of a wrong namespace": (soap.envelope('<Add xmlns="urn:wsrf"/>'), "urn:wsrf"),
}


def count(group: str) -> int:
    return len(soap.entries(group))


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_requests_are_told_so(group: str, case: str) -> None:
    content, message = MALFORMED[case]
    before = count(group)
    answer = soap.post(group, content, headers={"Content-Type": "text/xml"})
    assert answer.status == 500
    assert message in "".join(answer.body.itertext())
    assert "Traceback" not in answer.content.decode()
    assert count(group) == before


#: Cases with an envelope of their own: what it holds, made of an Add, and what is told.
HELD: dict[str, tuple[Callable[[str], str], str]] = {
    "empty body": (lambda add: "", "Body is empty"),
    "deep nesting": (lambda add: "<a>" * 200 + "</a>" * 200, "nested"),
    "deep in an Add": (lambda add: put_in(add, "<a>" * 200 + "</a>" * 200), "nested"),
    "many nodes": (lambda add: put_in(add, "<a/>" * 200_001), "at most 200000 are read"),
    "unknown operation": (lambda add: add.replace("sg:Add", "sg:Frob"), "Frob is no operation"),
    "no namespace": (lambda add: add.replace("sg:Add", "Add"), "Add is no operation"),
    "a wrong namespace": (lambda add: add.replace('xmlns:sg="', 'xmlns:sg="urn:'), "urn:http"),
}

UNREAD = ("deep nesting", "deep in an Add", "many nodes", "half", "DOCTYPE")


def put_in(add: str, more: str) -> str:
    return add.replace("<agg:AggregatorData/>", f"<agg:AggregatorData>{more}</agg:AggregatorData>")


@pytest.mark.parametrize("version", [SOAP11, SOAP12], ids=["1.1", "1.2"])
@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_malformed_requests_are_told_so_in_their_version_of_soap(
    group: str, family: soap.Family, version: str
) -> None:
    """What is no XML that can be read has no version: its fault is in SOAP 1.1."""
    add = soap.add_body("http://127.0.0.1:1/member", family=family)
    whole = soap.envelope(add, soap=version)
    cases = {case: (soap.envelope(hold(add), soap=version), m) for case, (hold, m) in HELD.items()}
    cases["half"] = whole[:-20], "not well-formed"
    cases["DOCTYPE"] = b"<!DOCTYPE s>" + whole, "DOCTYPE"
    cases["no body"] = f'<s:Envelope xmlns:s="{version}"/>'.encode(), "no Body"
    kind = "text/xml" if version == SOAP11 else "application/soap+xml"
    for case, (content, message) in cases.items():
        answer = soap.post(group, content, headers={"Content-Type": f"{kind}; charset=utf-8"})
        expected = SOAP11 if case in UNREAD else version
        assert answer.status == (500 if expected == SOAP11 else 400), case
        assert answer.body.tag == f"{{{expected}}}Fault", case
        assert message in "".join(answer.body.itertext()), case
        assert "Traceback" not in answer.content.decode(), case
    assert count(group) == 0
    assert soap.call(group, add, soap=version).status == 200
    assert count(group) == 1


def test_a_body_over_the_limit_is_told_the_limit(group: str) -> None:
    content = soap.envelope(ADD.replace("<agg:AggregatorData/>", "x" * (5 * 1024 * 1024)))
    answer = soap.post(group, content)
    assert answer.status == 500
    assert "4194304" in answer.fault[1]
    assert count(group) == 0


def test_a_chunked_body_over_the_limit_is_told_the_limit(group: str) -> None:
    parts = urlsplit(group)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    pieces = iter([soap.envelope(ADD)] + [b"x" * 65536] * 100)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(
            "POST", parts.path, pieces, {"Content-Type": "text/xml"}, encode_chunked=True
        )
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    assert reply.status == 500
    assert b"4194304" in content
    assert count(group) == 0


@pytest.mark.parametrize("size", [10, 60_000])
def test_chunked_requests_are_answered(group: str, size: int) -> None:
    """GT clients send chunks and no Content-Length."""
    parts = urlsplit(group)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    content = soap.envelope(soap.add_body("http://127.0.0.1:1/chunked", family="gt4"))
    content += b" " * 150_000
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    connection.request(
        "POST", parts.path, pieces, {"Content-Type": "text/xml"}, encode_chunked=True
    )
    reply = connection.getresponse()
    answer = soap.Answer(reply.status, dict(reply.getheaders()), reply.read())
    connection.close()
    assert soap.entry_of(answer, "gt4").key


@pytest.mark.parametrize("version", [SOAP11, SOAP12])
def test_must_understand_headers_are_enforced(group: str, version: str) -> None:
    before = count(group)
    header = f'<x:Token xmlns:x="urn:x" xmlns:s="{version}" s:mustUnderstand="1"/>'
    answer = soap.call(group, ADD, header=header, soap=version)
    assert answer.status == 500
    text = "".join(answer.body.itertext())
    assert "MustUnderstand" in text
    assert "{urn:x}Token" in text
    assert count(group) == before


def test_a_header_for_another_actor_is_none_of_ours(group: str) -> None:
    header = (
        f'<x:Token xmlns:x="urn:x" xmlns:s="{SOAP11}" s:mustUnderstand="1" '
        's:actor="http://somebody.else/"/>'
    )
    assert soap.call(group, ADD, header=header).status == 200


@pytest.mark.parametrize("family", ["gt4", "oasis"])
@pytest.mark.parametrize("key", ["missing", "unknown", "of another group", "contradicting"])
def test_wrong_resource_keys_are_unknown_resources(
    group: str, key: str, family: soap.Family
) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/keys")
    address, name = f"{group}Entry", group.rpartition("/")[2]
    header = {
        "missing": "",
        "unknown": entry.header.replace(entry.key, "0" * 32),
        "of another group": entry.header.replace(f"{name}<", "DefaultIndexService<"),
        "contradicting": entry.header,
    }[key]
    if key == "contradicting":
        address += "/" + "0" * 32
    rl = NS[family]["rl"]
    body = f'<rl:Destroy xmlns:rl="{rl}"/>'
    answer = soap.call(address, body, header=header)
    assert answer.fault[0] == "ResourceUnknownFault"
    assert answer.body.find(f".//{{{rl if family == 'gt4' else NS['oasis']['r']}}}*") is not None
    assert entry.key in etree.tostring(soap.get_property(group, "sg:Entry").body).decode()


def test_an_unknown_service_is_named_with_the_known_ones(served: RunningService) -> None:
    answer = soap.call(f"{served.url}/wsrf/services/Nobody", ADD)
    assert answer.fault[0] == "ResourceUnknownFault"
    assert "/wsrf/services/DefaultIndexService" in answer.fault[1]


def test_add_on_an_entry_is_sent_to_the_group(group: str) -> None:
    answer = soap.call(f"{group}Entry", ADD)
    assert "send it to the group" in answer.fault[1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f'<sg:Add xmlns:sg="{NS["oasis"]["sg"]}"/>', "MemberEPR"),
        (ADD.replace("wsa:Address", "wsa:Adress"), "Address"),
        (ADD.replace("http://127.0.0.1:1/member", "  "), "Address"),
        (soap.add_body("http://127.0.0.1:1/m", termination="tomorrow"), "tomorrow"),
        (soap.add_body("http://127.0.0.1:1/m", termination="2001-01-01T00:00:00Z"), "is over"),
        (soap.add_body("http://127.0.0.1:1/m", termination="-PT5M"), "is over"),
    ],
)
def test_wrong_adds_are_refused(group: str, body: str, message: str) -> None:
    before = count(group)
    name, text = soap.call(group, body).fault
    assert name == "AddRefusedFault"
    assert message in text
    assert count(group) == before


def test_a_group_is_never_its_own_member(group: str) -> None:
    port, name = urlsplit(group).port, group.rpartition("/")[2]
    for address in (
        group,
        group.upper().replace("HTTP:", "http:"),
        f"http://localhost:{port}/wsrf/services/{name}",
        f"http://[::1]:{port}/wsrf/services/{name.lower()}/",
    ):
        fault, text = soap.call(group, soap.add_body(address)).fault
        assert fault == "AddRefusedFault"
        assert "Loopback or duplicate" in text


@pytest.mark.parametrize("family", ["gt4", "oasis"])
@pytest.mark.parametrize(
    ("value", "fault"),
    [("soon", "TerminationTimeChangeRejectedFault"), ("", "TerminationTimeChangeRejectedFault")],
)
def test_wrong_times_change_nothing(
    group: str, family: soap.Family, value: str, fault: str
) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/times", family=family)
    assert soap.set_termination_time(entry, value, family=family).fault[0] == fault
    answer = soap.get_property(
        entry.address, "rl:TerminationTime", header=entry.header, family=family
    )
    assert answer.body[0].get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("//[", "InvalidQueryExpressionFault"),
        ("//nobody:Knows", "InvalidQueryExpressionFault"),
        ("document('/etc/passwd')", "InvalidQueryExpressionFault"),
    ],
)
def test_wrong_queries_are_told_so(group: str, expression: str, fault: str) -> None:
    assert soap.query(group, expression).fault[0] == fault


def test_an_unknown_query_dialect_is_told_so(group: str) -> None:
    rp = NS["oasis"]["rp"]
    body = (
        f'<rp:QueryResourceProperties xmlns:rp="{rp}"><rp:QueryExpression Dialect="urn:xquery">/'
        "</rp:QueryExpression></rp:QueryResourceProperties>"
    )
    name, text = soap.call(group, body).fault
    assert name == "UnknownQueryExpressionDialectFault"
    assert "urn:xquery" in text
