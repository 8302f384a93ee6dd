"""Notify a consumer with zeep, of a value of a property; nothing comes back."""

import sys

import zeep
from lxml import etree
from subscriber import NT, SIMPLE

RP = {
    "oasis": "http://docs.oasis-open.org/wsrf/rp-2",
    "gt4": "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties-1.2-draft-01.xsd",
}


def main(url, dialect, value):
    """Tell the consumer at an address of its own that t:Load has a value."""
    client = zeep.Client(url + ("?wsdl=gt4" if dialect == "gt4" else "?wsdl"))
    load = etree.fromstring(f'<t:Load xmlns:t="urn:t">{value}</t:Load>')
    name = etree.QName(RP[dialect], "ResourcePropertyValueChangeNotification")
    element = client.get_element(str(name))
    topic = {"Dialect": SIMPLE[dialect]}
    if dialect == "oasis":
        change = zeep.xsd.AnyObject(element, element(NewValues={"_value_1": [load]}))
        told = {"Topic": topic, "Message": {"_value_1": change}}
    else:
        # A message of the drafts is anyType: its element goes by its type.
        told = {"Topic": topic, "Message": element.type(NewValue={"_value_1": load})}
    client.service.Notify(NotificationMessage=[told])
    assert NT[dialect] in {namespace for namespace in client.namespaces.values()}


if __name__ == "__main__":
    main(*sys.argv[1:])
