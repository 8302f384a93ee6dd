"""Add a member, read the entries and renew the entry with zeep; print what came back as JSON."""

import json
import sys
from datetime import datetime

import zeep
from lxml import etree
from zeep import xsd

AGG = "http://mds.globus.org/aggregator/types"
DRAFT = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd"
FINAL = "http://docs.oasis-open.org/wsrf/sg-2"


def load(url, dialect, soap):
    """The service behind a WSDL by the port of one SOAP version, and its client."""
    client = zeep.Client(url + ("?wsdl=gt4" if dialect == "gt4" else "?wsdl"))
    service = next(iter(client.wsdl.services.values()))
    port = next(name for name in service.ports if name.endswith("12") == (soap == "1.2"))
    return client, client.bind(service.name, port)


def content(client, dialect):
    """Content with one configuration block, built from the types of the schema."""
    block = etree.fromstring(
        f'<a:GetResourcePropertyPollType xmlns:a="{AGG}" xmlns:w="http://widgets.example/">'
        "<a:PollIntervalMillis>60000</a:PollIntervalMillis>"
        "<a:ResourcePropertyName>w:foo</a:ResourcePropertyName>"
        "</a:GetResourcePropertyPollType>"
    )
    if dialect == "gt4":
        whole = client.get_type(f"{{{AGG}}}AggregatorContent")
        return whole(AggregatorConfig={"_value_1": [block]}, AggregatorData={})
    config = client.get_element(f"{{{AGG}}}AggregatorConfig")
    data = client.get_element(f"{{{AGG}}}AggregatorData")
    return {
        "_value_1": [
            xsd.AnyObject(config, config(_value_1=[block])),
            xsd.AnyObject(data, data()),
        ]
    }


def main(url, dialect, *words):
    """Make the three calls for a member, the first and the second end of its entry."""
    member, initial, renewed, soap = words
    client, group = load(url, dialect, soap)
    reply = group.Add(
        MemberEPR={"Address": member},
        Content=content(client, dialect),
        InitialTerminationTime=datetime.fromisoformat(initial) if dialect == "gt4" else initial,
    )
    if dialect == "gt4":
        entry, parameters = reply, reply.ReferenceProperties
    else:
        entry = reply.ServiceGroupEntryReference
        parameters = entry.ReferenceParameters
    address = entry.Address._value_1
    name = etree.QName(DRAFT if dialect == "gt4" else FINAL, "Entry")
    found = group.GetResourceProperty(name)

    client, _ = load(url + "Entry", dialect, soap)
    binding = next(name for name in client.wsdl.bindings if ("12" in name) == (soap == "1.2"))
    port = client.create_service(binding, address)
    time = port.SetTerminationTime(
        RequestedTerminationTime=datetime.fromisoformat(renewed),
        _soapheaders=parameters._value_1,
    )
    print(
        json.dumps(
            {
                "entry": address,
                "key": parameters._value_1[0].findtext(f"{{{AGG}}}EntryKey"),
                "members": [item.MemberServiceEPR.Address._value_1 for item in found],
                "renewed": time.NewTerminationTime.isoformat(),
            }
        )
    )


def operations(url):
    """Print the names of the operations that a WSDL offers."""
    services = zeep.Client(url).wsdl.services.values()
    ports = [port for service in services for port in service.ports.values()]
    print(json.dumps(sorted({name for port in ports for name in port.binding._operations})))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else operations(sys.argv[1])
