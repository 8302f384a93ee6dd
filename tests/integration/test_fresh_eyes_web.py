"""What a stranger found on the wire: each of these once lost, bent or broke something."""
# ruff: noqa: F401, F811 (a fixture is imported, and arguments have its name)

from __future__ import annotations

import http.client
import re
import socket
from urllib.parse import urlsplit

import pytest

from tests import soap
from tests.service import RunningService
from tests.soap import AGG, XPATH

from .fresh_eyes import OASIS, add_plain, plain, seen

LATER = "2050-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "time", ["<!-- a day -->P1D", "P<!-- one -->1D", "<?a day?>P1D", "<![CDATA[P1D]]>", "\n P1D\t"]
)
def test_comments_in_an_initial_time_are_passed_over(seen: RunningService, time: str) -> None:
    answer = soap.call(seen.group, soap.add_body("http://127.0.0.1:1/m", termination=time))
    entry = soap.entry_of(answer)
    assert answer.body.findtext(f"{{{OASIS['sg']}}}TerminationTime")
    assert soap.destroy(entry).status == 200


def test_comments_in_a_requested_time_are_passed_over(seen: RunningService) -> None:
    entry = soap.add(seen.group, "http://127.0.0.1:1/m")
    time = "<!-- far -->2050-<!-- off -->01-01T00:00:00Z"
    answer = soap.set_termination_time(entry, time)
    assert answer.status == 200, answer.content
    assert answer.body.findtext(f"{{{OASIS['rl']}}}NewTerminationTime") == LATER
    duration = (
        f'<rl:SetTerminationTime xmlns:rl="{OASIS["rl"]}"><rl:RequestedLifetimeDuration>'
        "<!-- -->P1D</rl:RequestedLifetimeDuration></rl:SetTerminationTime>"
    )
    assert soap.call(entry.address, duration).status == 200


@pytest.mark.parametrize(
    ("expression", "result"), [("1<!-- and -->+1", "2"), ("<?x?>1 + 1", "2"), ("<!-- -->3", "3")]
)
def test_comments_cut_no_expression_short(
    seen: RunningService, expression: str, result: str
) -> None:
    body = (
        f'<rp:QueryResourceProperties xmlns:rp="{OASIS["rp"]}"><rp:QueryExpression '
        f'Dialect="{XPATH}">{expression}</rp:QueryExpression></rp:QueryResourceProperties>'
    )
    assert soap.call(seen.group, body).body.text == result


@pytest.mark.parametrize("attribute", ["Dialect", "dialect", "rp:Dialect"])
def test_an_unknown_query_dialect_is_told_however_it_is_spelt(
    seen: RunningService, attribute: str
) -> None:
    body = (
        f'<rp:QueryResourceProperties xmlns:rp="{OASIS["rp"]}"><rp:QueryExpression '
        f'{attribute}="urn:xquery">1</rp:QueryExpression></rp:QueryResourceProperties>'
    )
    assert soap.call(seen.group, body).fault[0] == "UnknownQueryExpressionDialectFault"


@pytest.mark.parametrize(
    "chunks", [b"zz\r\nabc\r\n0\r\n\r\n", b"-5\r\nabc\r\n0\r\n\r\n", b"3\r\nabcXX0\r\n\r\n"]
)
def test_broken_chunks_are_the_clients_fault(seen: RunningService, chunks: bytes) -> None:
    parts = urlsplit(seen.group)
    before = seen.logs().count("Traceback")
    with socket.create_connection((parts.hostname, parts.port), timeout=15) as connection:
        head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + chunks)
        reply = b""
        while b"</soapenv:Envelope>" not in reply and (piece := connection.recv(65536)):
            reply += piece
    assert b":Client</faultcode>" in reply
    assert b"broke off" in reply
    assert seen.logs().count("Traceback") == before


@pytest.mark.parametrize(("method", "size"), [("POST", 4_500_000), ("PUT", 200_000)])
def test_a_body_that_is_not_read_ends_the_connection_openly(
    seen: RunningService, method: str, size: int
) -> None:
    """Who is told keep-alive sends the next request on a connection that ends."""
    parts = urlsplit(seen.group)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request(method, parts.path, b"x" * size)
    reply = connection.getresponse()
    reply.read()
    assert reply.getheader("Connection") == "close"
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_duplicate_that_renews_is_told_its_new_time(seen: RunningService) -> None:
    group = plain(seen, "Renewing")
    first = soap.add(group, "http://127.0.0.1:1/m", termination="2040-01-01T00:00:00Z")
    answer = soap.call(group, soap.add_body("http://127.0.0.1:1/m", termination=LATER))
    assert soap.entry_of(answer).key == first.key
    assert answer.body.findtext(f"{{{OASIS['sg']}}}TerminationTime") == LATER
    assert soap.get_property(first.address, "rl:TerminationTime").body[0].text == LATER


@pytest.mark.parametrize("operation", ["Destroy", "SetTerminationTime"])
def test_a_key_that_can_not_be_one_is_an_unknown_resource(
    seen: RunningService, operation: str
) -> None:
    """PostgreSQL takes no NUL in a text; that is no trouble of the store."""
    time = f"<rl:RequestedTerminationTime>{LATER}</rl:RequestedTerminationTime>"
    inside = time if operation == "SetTerminationTime" else ""
    body = f'<rl:{operation} xmlns:rl="{OASIS["rl"]}">{inside}</rl:{operation}>'
    for key in ("%00", "%0d%0a", "%ed%a0%80", "x" * 2000):
        assert soap.call(f"{seen.group}Entry/{key}", body).fault[0] == "ResourceUnknownFault"


WRONG_CHILDREN = {
    "another namespace": (
        '<x:MemberEPR xmlns:x="urn:x"><wsa:Address>urn:m</wsa:Address></x:MemberEPR>',
        "no MemberEPR",
    ),
    "two members": (
        "<sg:MemberEPR><wsa:Address>urn:a</wsa:Address></sg:MemberEPR>"
        "<sg:MemberEPR><wsa:Address>urn:b</wsa:Address></sg:MemberEPR>",
        "MemberEPR more than once",
    ),
    "two configurations": (
        "<sg:MemberEPR><wsa:Address>urn:a</wsa:Address></sg:MemberEPR><sg:Content>"
        f'<a:AggregatorConfig xmlns:a="{AGG}"/><a:AggregatorConfig xmlns:a="{AGG}"/></sg:Content>',
        "AggregatorConfig more than once",
    ),
    "two contents": (
        "<sg:MemberEPR><wsa:Address>urn:a</wsa:Address></sg:MemberEPR><sg:Content/><sg:Content/>",
        "Content more than once",
    ),
}


@pytest.mark.parametrize("case", WRONG_CHILDREN)
def test_an_add_says_what_it_says_once_and_in_its_namespace(
    seen: RunningService, case: str
) -> None:
    inside, message = WRONG_CHILDREN[case]
    body = f'<sg:Add xmlns:sg="{OASIS["sg"]}" xmlns:wsa="{OASIS["wsa"]}">{inside}</sg:Add>'
    name, text = soap.call(plain(seen), body).fault
    assert name == "AddRefusedFault"
    assert message in text


def test_a_requested_time_of_another_namespace_is_none(seen: RunningService) -> None:
    entry = soap.add(seen.group, "http://127.0.0.1:1/m")
    body = (
        f'<rl:SetTerminationTime xmlns:rl="{OASIS["rl"]}"><x:RequestedTerminationTime '
        f'xmlns:x="urn:x">{LATER}</x:RequestedTerminationTime></rl:SetTerminationTime>'
    )
    answer = soap.call(entry.address, body)
    assert answer.fault[0] == "TerminationTimeChangeRejectedFault"


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_carriage_returns_in_a_result_are_no_line_feeds(
    seen: RunningService, family: soap.Family
) -> None:
    group = plain(seen)
    entry = soap.entry_of(soap.call(group, add_plain('<a t="1&#13;2">3&#13;4</a><b/>')))
    for expression, result in (
        ("string(//*[local-name()='a'])", "3\r4"),
        ("string(//@t)", "1\r2"),
        ("//@t", "1\r2"),
        ("//@t | //*[local-name()='b']", "1\r2\n"),
    ):
        assert soap.query(group, expression, family=family).body.text == result
    assert soap.destroy(entry).status == 200


def test_only_the_white_space_of_xml_is_dropped_around_an_address(seen: RunningService) -> None:
    member = "<sg:MemberEPR><wsa:Address>&#160;urn:m&#8195;</wsa:Address></sg:MemberEPR>"
    name, text = soap.call(plain(seen), add_plain("", member=member)).fault
    assert name == "AddRefusedFault"
    assert re.search("white space or control characters", text)
