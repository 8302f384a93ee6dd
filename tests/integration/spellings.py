"""The three ways in which clients in the field write WSRF, each as its messages are on the wire."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from tests import soap
from tests.soap import AGG, NS, SOAP11, SOAP12, XPATH, Answer, Family

DRAFT = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-"
FINAL = "http://docs.oasis-open.org/wsrf/"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
ANONYMOUS = {
    "gt4": "http://schemas.xmlsoap.org/ws/2004/03/addressing/role/anonymous",
    "oasis": "http://www.w3.org/2005/08/addressing/anonymous",
}
#: Operation to the prefix of its namespace in `NS`, and to the final standard's portType.
OPERATIONS = {
    "Add": ("sg", "sgw-2/ServiceGroupRegistration"),
    "GetResourceProperty": ("rp", "rpw-2/GetResourceProperty"),
    "GetMultipleResourceProperties": ("rp", "rpw-2/GetMultipleResourceProperties"),
    "QueryResourceProperties": ("rp", "rpw-2/QueryResourceProperties"),
    "GetResourcePropertyDocument": ("rp", "rpw-2/GetResourcePropertyDocument"),
    "SetTerminationTime": ("rl", "rlw-2/ScheduledResourceTermination"),
    "Destroy": ("rl", "rlw-2/ImmediateResourceTermination"),
}
_DRAFT_ACTIONS = {
    "sg": f"{DRAFT}ServiceGroup-1.2/",
    "rp": f"{DRAFT}ResourceProperties/",
    "rl": f"{DRAFT}ResourceLifetime/",
}
VERSIONS = {"SOAP 1.1": SOAP11, "SOAP 1.2": SOAP12}


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write: the names of its dialect, its Actions, where the resource key goes."""

    name: str
    family: Family
    key_in_path: bool = False

    def action(self, operation: str, *, reply: bool = False) -> str:
        """The wsa:Action of a message, without the quotes that WSRF::Lite adds."""
        spec, port = OPERATIONS[operation]
        if self.name == "lite":
            return f"{NS['oasis'][spec]}#{operation}{'Response' if reply else ''}"
        if self.name == "gt4":
            return f"{_DRAFT_ACTIONS[spec]}{operation}{'Response' if reply else ''}"
        return f"{FINAL}{port}/{operation}{'Response' if reply else 'Request'}"

    def headers(self, operation: str, *, to: str, message: str) -> str:
        """The addressing headers that such a client sends."""
        wsa, action = NS[self.family]["wsa"], self.action(operation)
        if self.name == "lite":
            return (
                f'<wsa:Action xmlns:wsa="{wsa}" xmlns:wsu="{WSU}" wsu:Id="Action">"{action}"'
                f'</wsa:Action><wsa:To xmlns:wsa="{wsa}">{to}</wsa:To>'
                f'<wsa:MessageID xmlns:wsa="{wsa}">{message}</wsa:MessageID>'
                f'<wsa:ReplyTo xmlns:wsa="{wsa}"><wsa:Address>{ANONYMOUS["oasis"]}</wsa:Address>'
                "</wsa:ReplyTo>"
            )
        return "".join(
            f'<wsa:{name} xmlns:wsa="{wsa}">{text}</wsa:{name}>'
            for name, text in (
                ("MessageID", message),
                ("To", to),
                ("Action", action),
                ("From", f"<wsa:Address>{ANONYMOUS[self.family]}</wsa:Address>"),
            )
        )

    def body(self, operation: str, inside: str = "", *, declare: str = "") -> str:
        """The Body's child; `inside` may use the prefixes sg, rp, rl, wsa and agg."""
        declared = " ".join(f'xmlns:{p}="{uri}"' for p, uri in NS[self.family].items())
        name = f"{OPERATIONS[operation][0]}:{operation}"
        return f'<{name} {declared} xmlns:agg="{AGG}" {declare}>{inside}</{name}>'

    def add(self, member: str, config: str = soap.IDLE, *, more: str = "") -> str:
        """The Add element; `more` follows the Content."""
        address = f"<wsa:Address>{member}</wsa:Address>"
        if self.name == "lite":
            address = f"<wsa:EndpointReference>{address}</wsa:EndpointReference>"
        typed = (
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            ' xsi:type="agg:AggregatorContent"'
        )
        return self.body(
            "Add",
            f"<sg:MemberEPR>{address}</sg:MemberEPR><sg:Content"
            f"{typed if self.name == 'gt4' else ''}>{config}<agg:AggregatorData/></sg:Content>"
            + more,
        )

    def query(self, expression: str) -> str:
        """The QueryResourceProperties element; WSRF::Lite writes the dialect small."""
        attribute = "dialect" if self.name == "lite" else "Dialect"
        return self.body(
            "QueryResourceProperties",
            f'<rp:QueryExpression {attribute}="{XPATH}">{escape(expression)}</rp:QueryExpression>',
        )


SPELLINGS = {
    "gt4": Spelling("gt4", "gt4"),
    "oasis": Spelling("oasis", "oasis"),
    "lite": Spelling("lite", "oasis", key_in_path=True),
}


def message_id() -> str:
    """A MessageID."""
    return f"uuid:{uuid.uuid4()}"


def header_text(answer: Answer, wsa: str, name: str) -> list[str]:
    """The texts of a header block of WS-Addressing in an answer."""
    root = etree.fromstring(answer.content)
    header = root.find(f"{{{etree.QName(root).namespace}}}Header")
    found = [] if header is None else header.findall(f"{{{wsa}}}{name}")
    return ["".join(block.itertext()) for block in found]
