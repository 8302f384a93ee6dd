"""What a Globus Toolkit 4.0 client puts on the wire, byte by byte as its container writes it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from lxml import etree

from tests import soap
from tests.integration.spellings import header_text
from tests.soap import AGG, NS, Answer

GT4 = NS["gt4"]
WSA, SG, RP, RL = GT4["wsa"], GT4["sg"], GT4["rp"], GT4["rl"]
XSI = "http://www.w3.org/2001/XMLSchema-instance"
INDEX = "http://mds.globus.org/index/2004/07/12"
ADD = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2/Add"
GET = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties/GetResourceProperty"
SET = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceLifetime/SetTerminationTime"


def send(url: str, envelope: str, action: str) -> Answer:
    """POST in chunks and without a length, close the connection after the answer, as Axis does."""
    parts = urlsplit(url)
    content = envelope.encode()
    cuts = [content[at : at + 512] for at in range(0, len(content), 512)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(cut), cut) for cut in cuts)
    head = (
        f"POST {parts.path} HTTP/1.1\r\n"
        "Content-Type: text/xml; charset=utf-8\r\n"
        "Accept: application/soap+xml, application/dime, multipart/related, text/*\r\n"
        "User-Agent: Axis/1.2RC2\r\n"
        f"Host: {parts.netloc}\r\n"
        "Cache-Control: no-cache\r\nPragma: no-cache\r\n"
        f'SOAPAction: "{action}"\r\n'
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 80), 30) as connection:
        connection.sendall(head.encode() + chunks + b"0\r\n\r\n")
        received = b""
        # The server closes, as it was asked to: without that a client of 2005 waits for ever.
        while piece := connection.recv(65536):
            received += piece
    status, _, rest = received.partition(b"\r\n")
    fields, _, body = rest.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in fields.decode().split("\r\n"))
    assert headers["Connection"] == "close"
    assert headers["Content-Type"] == "text/xml; charset=utf-8"
    if "Content-Length" in headers:
        assert int(headers["Content-Length"]) == len(body)
    else:
        body = dechunked(body)
    return Answer(int(status.split()[1]), headers, body)


def dechunked(body: bytes) -> bytes:
    pieces = []
    while True:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return b"".join(pieces)
        pieces.append(rest[:length])
        body = rest[length + 2 :]


def envelope(url: str, action: str, body: str, *, key: str = "") -> str:
    """An envelope with the headers of the toolkit, none of which must be understood."""
    quiet = 'soapenv:mustUnderstand="0"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        f'xmlns:xsi="{XSI}" xmlns:wsa="{WSA}"><soapenv:Header>'
        f"<wsa:MessageID {quiet}>uuid:0a4e8a50-6ee6-11db-b5c1-d5a4f1b2c0de</wsa:MessageID>"
        f"<wsa:To {quiet}>{url}</wsa:To><wsa:Action {quiet}>{action}</wsa:Action>"
        f'<wsa:From xmlns="{WSA}" {quiet}><Address>{WSA}/role/anonymous</Address></wsa:From>'
        f"{key}</soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )


def add_element(end: str) -> str:
    return (
        f'<Add xmlns="{SG}"><MemberEPR xsi:type="ns1:EndpointReferenceType" xmlns:ns1="{WSA}">'
        "<ns1:Address xsi:type='ns1:AttributedURI'>"
        "https://10.0.0.7:8443/wsrf/services/ManagedJobFactoryService</ns1:Address>"
        '<ns1:ReferenceProperties xsi:type="ns1:ReferencePropertiesType">'
        '<ResourceID xmlns="http://www.globus.org/namespaces/2004/10/gram/job">PBS</ResourceID>'
        "</ns1:ReferenceProperties>"
        '<ns1:ReferenceParameters xsi:type="ns1:ReferenceParametersType">'
        '<p:Hint xmlns:p="urn:hint">p:fast</p:Hint></ns1:ReferenceParameters></MemberEPR>'
        f'<Content xsi:type="ns1:AggregatorContent" xmlns:ns1="{AGG}">'
        '<ns1:AggregatorConfig xsi:type="ns1:AggregatorConfig">'
        '<ns1:GetResourcePropertyPollType xmlns:glue="http://mds.globus.org/glue/ce/1.1">'
        "<ns1:PollIntervalMillis>3600000</ns1:PollIntervalMillis>"
        "<ns1:ResourcePropertyName>glue:GLUECE</ns1:ResourcePropertyName>"
        "</ns1:GetResourcePropertyPollType></ns1:AggregatorConfig>"
        '<ns1:AggregatorData xsi:type="ns1:AggregatorData"/></Content>'
        f"<InitialTerminationTime>{end}</InitialTerminationTime></Add>"
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What the toolkit keeps of an entry: its address, and its key as a header of its own."""

    address: str
    key: str


def registered(group: str, *, refresh: int) -> Known:
    """Register as the toolkit does and keep what it keeps."""
    end = (datetime.now(UTC) + timedelta(seconds=2 * refresh)).isoformat(timespec="milliseconds")
    answer = send(group, envelope(group, ADD, add_element(end.replace("+00:00", "Z"))), ADD)
    assert answer.status == 200, answer.content
    reply = answer.body
    assert reply.tag == f"{{{SG}}}AddResponse"
    # It is an endpoint reference itself; the toolkit finds these children and no others.
    assert [child.tag for child in reply] == [f"{{{WSA}}}Address", f"{{{WSA}}}ReferenceProperties"]
    assert header_text(answer, WSA, "Action") == [ADD + "Response"]
    assert header_text(answer, WSA, "RelatesTo") == ["uuid:0a4e8a50-6ee6-11db-b5c1-d5a4f1b2c0de"]
    keys = {name: reply.findtext(f".//{{{AGG}}}{name}") for name in ("GroupKey", "EntryKey")}
    # The element's name is that of the stub's type and not the one that was sent.
    key = (
        f'<ServiceGroupEntryKey xmlns="{INDEX}" soapenv:mustUnderstand="0" '
        f'xmlns:t="{AGG}"><t:GroupKey>{keys["GroupKey"]}</t:GroupKey>'
        f"<t:EntryKey>{keys['EntryKey']}</t:EntryKey></ServiceGroupEntryKey>"
    )
    return Known(reply[0].text, key)


def ask(known: Known, action: str, body: str, *, address: str = "") -> Answer:
    url = address or known.address
    return send(url, envelope(url, action, body, key=known.key), action)


def property_body(name: str) -> str:
    return f'<GetResourceProperty xmlns="{RP}" xmlns:n="{RL}">n:{name}</GetResourceProperty>'


def set_body(moment: datetime) -> str:
    text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return (
        f'<SetTerminationTime xmlns="{RL}"><RequestedTerminationTime>{text}'
        "</RequestedTerminationTime></SetTerminationTime>"
    )


def test_a_registration_is_added_and_refreshed(group: str) -> None:
    """The cycle of the registration tool: Add, then CurrentTime and SetTerminationTime."""
    known = registered(group, refresh=600)
    clock = ask(known, GET, property_body("CurrentTime"))
    assert clock.status == 200, clock.content
    now = datetime.fromisoformat(clock.body.findtext(f"{{{RL}}}CurrentTime"))
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=10)
    wanted = now + timedelta(seconds=1200)
    renewed = ask(known, SET, set_body(wanted))
    assert renewed.status == 200, renewed.content
    granted = datetime.fromisoformat(renewed.body.findtext(f"{{{RL}}}NewTerminationTime"))
    assert granted == wanted
    assert datetime.fromisoformat(renewed.body.findtext(f"{{{RL}}}CurrentTime")) >= now
    (entry,) = soap.entries(group, family="gt4")
    member = entry.find(f"{{{SG}}}MemberServiceEPR")
    properties = member.find(f"{{{WSA}}}ReferenceProperties")
    assert [child.tag for child in properties] == [
        "{http://www.globus.org/namespaces/2004/10/gram/job}ResourceID",
        "{urn:hint}Hint",
    ]
    assert properties[1].nsmap["p"] == "urn:hint"
    name = entry.find(f".//{{{AGG}}}ResourcePropertyName")
    assert (name.text, name.nsmap["glue"]) == ("glue:GLUECE", "http://mds.globus.org/glue/ce/1.1")
    xsi_type = entry.find(f".//{{{AGG}}}AggregatorConfig").get(f"{{{XSI}}}type")
    assert xsi_type == "ns1:AggregatorConfig"
    assert entry.find(f"{{{SG}}}Content").get(f"{{{XSI}}}type").endswith(":AggregatorContent")


@pytest.mark.parametrize("place", ["entry", "entries", "group"])
def test_the_key_under_another_name_finds_the_entry_wherever_it_is_sent(
    group: str, place: str
) -> None:
    known = registered(group, refresh=600)
    address = {"entry": known.address, "entries": f"{group}Entry", "group": group}[place]
    wanted = datetime.now(UTC) + timedelta(hours=3)
    renewed = ask(known, SET, set_body(wanted), address=address)
    assert renewed.status == 200, renewed.content
    # That is how the toolkit deregisters.
    ended = ask(known, SET, set_body(datetime.now(UTC)), address=address)
    assert ended.status == 200, ended.content
    assert soap.entries(group) == []


def test_a_renewal_that_comes_too_late_is_told_so_and_the_member_is_added_again(group: str) -> None:
    known = registered(group, refresh=600)
    assert ask(known, SET, set_body(datetime.now(UTC))).status == 200
    late = ask(known, SET, set_body(datetime.now(UTC) + timedelta(hours=1)))
    assert late.status == 500
    (detail,) = late.body.find("detail")
    assert detail.tag == f"{{{RL}}}ResourceUnknownFault"
    assert etree.QName(late.body).localname == "Fault"
    again = registered(group, refresh=600)
    assert again.key != known.key
    assert len(soap.entries(group)) == 1
