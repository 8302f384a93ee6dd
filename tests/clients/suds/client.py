"""Add a member, read the entries and renew the entry with suds; print what came back as JSON."""

import json
import sys

from suds.cache import NoCache
from suds.client import Client
from suds.plugin import MessagePlugin
from suds.sax.parser import Parser

AGG = "http://mds.globus.org/aggregator/types"
DRAFT = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd"
FINAL = "http://docs.oasis-open.org/wsrf/sg-2"
WSA_DRAFT = "http://schemas.xmlsoap.org/ws/2004/03/addressing"
WSA_FINAL = "http://www.w3.org/2005/08/addressing"
CONFIG = (
    f'<a:AggregatorConfig xmlns:a="{AGG}"><a:GetResourcePropertyPollType'
    ' xmlns:w="http://widgets.example/"><a:PollIntervalMillis>60000</a:PollIntervalMillis>'
    "<a:ResourcePropertyName>w:foo</a:ResourcePropertyName></a:GetResourcePropertyPollType>"
    "</a:AggregatorConfig>"
)
DATA = f'<a:AggregatorData xmlns:a="{AGG}"/>'


class Wire(MessagePlugin):
    """Declares the prefix of the property's name, and keeps the last reply as text.

    Suds moves every prefix of a reply to its Envelope, so elements kept from it lose theirs.
    """

    def __init__(self, namespace):
        self.namespace = namespace
        self.reply = ""

    def marshalled(self, context):
        context.envelope.addPrefix("sg", self.namespace)

    def parsed(self, context):
        self.reply = context.reply.plain()


def element(text):
    """One element of suds, from its text."""
    return Parser().parse(string=text.encode()).root()


def only(value):
    """The one value where suds made a list of it, as it does beneath xsd:any."""
    return value[0] if isinstance(value, list) else value


def load(url, dialect, wire):
    """A client of the first port, which is the one of SOAP 1.1: suds speaks no other.

    Elements are only written whole when the request is indented.
    """
    url += "?wsdl=gt4" if dialect == "gt4" else "?wsdl"
    return Client(url, cache=NoCache(), prettyxml=True, plugins=[wire])


def content(client, dialect):
    """Content with one configuration block."""
    name = f"{{{AGG}}}AggregatorContent" if dialect == "gt4" else f"{{{FINAL}}}ContentType"
    whole = client.factory.create(name)
    whole.AggregatorConfig = element(CONFIG)
    whole.AggregatorData = element(DATA)
    return whole


def main(url, dialect, *words):
    """Make the three calls for a member, the first and the second end of its entry."""
    member, initial, renewed, soap = words
    assert soap == "1.1"
    wire = Wire(DRAFT if dialect == "gt4" else FINAL)
    client = load(url, dialect, wire)
    wsa = WSA_DRAFT if dialect == "gt4" else WSA_FINAL
    reference = client.factory.create(f"{{{wsa}}}EndpointReferenceType")
    reference.Address = member
    reply = client.service.Add(reference, content(client, dialect), initial)
    entry = reply if dialect == "gt4" else reply.ServiceGroupEntryReference

    path = "Body/AddResponse/ReferenceProperties"
    if dialect == "oasis":
        path = "Body/AddResponse/ServiceGroupEntryReference/ReferenceParameters"
    keys = element(wire.reply).childAtPath(path).getChildren()
    found = client.service.GetResourceProperty("sg:Entry")

    port = load(url + "Entry", dialect, wire)
    port.set_options(location=str(entry.Address), soapheaders=keys)
    time = port.service.SetTerminationTime(renewed)
    print(
        json.dumps(
            {
                "entry": str(entry.Address),
                "key": str(keys[0].childAtPath("EntryKey").getText()),
                "members": [str(only(only(item.MemberServiceEPR).Address)) for item in found],
                "renewed": time.NewTerminationTime.isoformat(),
            }
        )
    )


def operations(url):
    """Print the names of the operations that a WSDL offers."""
    services = Client(url, cache=NoCache()).wsdl.services
    ports = [port for service in services for port in service.ports]
    print(json.dumps(sorted({str(name) for port in ports for name in port.methods})))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else operations(sys.argv[1])
