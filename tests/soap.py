"""Raw SOAP for tests: envelopes as text, so that what is sent is what stands in the test."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from lxml import etree

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
AGG = "http://mds.globus.org/aggregator/types"
DRAFT = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-"
Family = Literal["gt4", "oasis"]
NS: dict[str, dict[str, str]] = {
    "gt4": {
        "wsa": "http://schemas.xmlsoap.org/ws/2004/03/addressing",
        "sg": DRAFT + "ServiceGroup-1.2-draft-01.xsd",
        "rp": DRAFT + "ResourceProperties-1.2-draft-01.xsd",
        "rl": DRAFT + "ResourceLifetime-1.2-draft-01.xsd",
        "bf": DRAFT + "BaseFaults-1.2-draft-01.xsd",
        "r": DRAFT + "ResourceProperties-1.2-draft-01.xsd",
    },
    "oasis": {
        "wsa": "http://www.w3.org/2005/08/addressing",
        "sg": "http://docs.oasis-open.org/wsrf/sg-2",
        "rp": "http://docs.oasis-open.org/wsrf/rp-2",
        "rl": "http://docs.oasis-open.org/wsrf/rl-2",
        "bf": "http://docs.oasis-open.org/wsrf/bf-2",
        "r": "http://docs.oasis-open.org/wsrf/r-2",
    },
}
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that holds an envelope (or does not)."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> etree._Element:
        """The first child of the SOAP Body."""
        root = etree.fromstring(self.content)
        soap = etree.QName(root).namespace
        return root.find(f"{{{soap}}}Body")[0]

    @property
    def fault(self) -> tuple[str, str]:
        """Local name of the fault's detail element and its description."""
        body = self.body
        assert etree.QName(body).localname == "Fault", self.content
        details = [c for c in body if etree.QName(c).localname.lower() == "detail"]
        if not details:
            return "", "".join(body.itertext())
        detail = details[0][0]
        found = [e.text for e in detail if etree.QName(e).localname == "Description"]
        return etree.QName(detail).localname, (found or [""])[0] or ""


def post(
    url: str,
    content: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """POST bytes as they are."""
    parts = urlsplit(url)
    assert parts.hostname
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', **(headers or {})}
        connection.request("POST", parts.path, content, sent)
        reply = connection.getresponse()
        return Answer(reply.status, dict(reply.getheaders()), reply.read())
    finally:
        connection.close()


def envelope(body: str, *, header: str = "", soap: str = SOAP11) -> bytes:
    """An envelope around a body."""
    return (
        f'<s:Envelope xmlns:s="{soap}"><s:Header>{header}</s:Header><s:Body>{body}</s:Body>'
        "</s:Envelope>"
    ).encode()


def call(
    url: str, body: str, *, header: str = "", soap: str = SOAP11, timeout: float = 30
) -> Answer:
    """Send a body and return the answer, fault or not."""
    kind = "text/xml" if soap == SOAP11 else "application/soap+xml"
    headers = {"Content-Type": f"{kind}; charset=utf-8"}
    return post(url, envelope(body, header=header, soap=soap), headers=headers, timeout=timeout)


def get_property_config(name: str, *, millis: int = 1000, declare: str = "") -> str:
    """An AggregatorConfig that polls one property; `declare` are namespace declarations."""
    return (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}" {declare}><agg:GetResourcePropertyPollType>'
        f"<agg:PollIntervalMillis>{millis}</agg:PollIntervalMillis>"
        f"<agg:ResourcePropertyName>{name}</agg:ResourcePropertyName>"
        "</agg:GetResourcePropertyPollType></agg:AggregatorConfig>"
    )


def execution_config(probe: str, *, millis: int = 1000) -> str:
    """An AggregatorConfig that runs a probe."""
    return (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}"><agg:ExecutionPollType>'
        f"<agg:PollIntervalMillis>{millis}</agg:PollIntervalMillis>"
        f"<agg:ProbeName>{probe}</agg:ProbeName></agg:ExecutionPollType></agg:AggregatorConfig>"
    )


#: A registration that collects nothing within a test's time.
IDLE = execution_config("aggregator-exec-test", millis=3_600_000)
#: One that costs next to nothing, for many: a member where nobody listens, asked once.
ASKED_ONCE = get_property_config("u:Load", millis=3_600_000, declare='xmlns:u="urn:u"')


def add_body(
    member: str,
    config: str = IDLE,
    *,
    family: Family = "oasis",
    termination: str | None = None,
    references: str = "",
) -> str:
    """The Add element."""
    ns = NS[family]
    container = "ReferenceProperties" if family == "gt4" else "ReferenceParameters"
    kept = f"<wsa:{container}>{references}</wsa:{container}>" if references else ""
    content = (
        f'<sg:Content xmlns:agg="{AGG}">{config}<agg:AggregatorData/></sg:Content>'
        if family == "oasis"
        else '<sg:Content xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:agg="{AGG}" xsi:type="agg:AggregatorContent">{config}<agg:AggregatorData/>'
        "</sg:Content>"
    )
    time = (
        ""
        if termination is None
        else (f"<sg:InitialTerminationTime>{termination}</sg:InitialTerminationTime>")
    )
    return (
        f'<sg:Add xmlns:sg="{ns["sg"]}" xmlns:wsa="{ns["wsa"]}"><sg:MemberEPR>'
        f"<wsa:Address>{member}</wsa:Address>{kept}</sg:MemberEPR>{content}{time}</sg:Add>"
    )


@dataclass(frozen=True, slots=True)
class EntryReference:
    """Where an Add's entry is: its address and its key as header bytes."""

    address: str
    header: str
    key: str


def entry_of(answer: Answer, family: Family = "oasis") -> EntryReference:
    """The entry of an AddResponse."""
    assert answer.status == 200, answer.content
    ns = NS[family]
    body = answer.body
    epr = body if family == "gt4" else body.find(f"{{{ns['sg']}}}ServiceGroupEntryReference")
    container = "ReferenceProperties" if family == "gt4" else "ReferenceParameters"
    key = epr.find(f"{{{ns['wsa']}}}{container}")[0]
    return EntryReference(
        address=epr.findtext(f"{{{ns['wsa']}}}Address") or "",
        header=etree.tostring(key).decode(),
        key=key.findtext(f"{{{AGG}}}EntryKey") or "",
    )


def add(group: str, member: str, config: str = IDLE, **more: object) -> EntryReference:
    """Add a member; fails the test on a fault."""
    family: Family = "gt4" if more.get("family") == "gt4" else "oasis"
    return entry_of(call(group, add_body(member, config, **more)), family)  # type: ignore[arg-type]


def get_property(url: str, name: str, *, family: Family = "oasis", header: str = "") -> Answer:
    """GetResourceProperty; `name` is ``prefix:local`` with a prefix of NS."""
    ns = NS[family]
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in ns.items())
    body = (
        f'<rp:GetResourceProperty {declared} xmlns:agg="{AGG}" '
        f'xmlns:h="urn:mds-aggregator:health">{name}</rp:GetResourceProperty>'
    )
    return call(url, body, header=header)


def query(url: str, expression: str, *, family: Family = "oasis", declare: str = "") -> Answer:
    """QueryResourceProperties with an XPath."""
    rp = NS[family]["rp"]
    text = expression.replace("&", "&amp;").replace("<", "&lt;")
    return call(
        url,
        f'<rp:QueryResourceProperties xmlns:rp="{rp}"><rp:QueryExpression Dialect="{XPATH}" '
        f"{declare}>{text}</rp:QueryExpression></rp:QueryResourceProperties>",
    )


def set_termination_time(
    entry: EntryReference, time: str | None, *, family: Family = "oasis"
) -> Answer:
    """SetTerminationTime on an entry; None asks for an endless life."""
    value = (
        '<rl:RequestedTerminationTime xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:nil="true"/>'
        if time is None
        else f"<rl:RequestedTerminationTime>{time}</rl:RequestedTerminationTime>"
    )
    rl = NS[family]["rl"]
    body = f'<rl:SetTerminationTime xmlns:rl="{rl}">{value}</rl:SetTerminationTime>'
    return call(entry.address, body, header=entry.header)


def destroy(entry: EntryReference, *, family: Family = "oasis") -> Answer:
    """Destroy an entry."""
    return call(entry.address, f'<rl:Destroy xmlns:rl="{NS[family]["rl"]}"/>', header=entry.header)


def entries(group: str, *, family: Family = "oasis") -> list[etree._Element]:
    """The Entry elements of a group."""
    answer = get_property(group, "sg:Entry", family=family)
    assert answer.status == 200, answer.content
    return list(answer.body)
