"""The WSDLs of ONVIF, which come with the client onvif-zeep."""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import zeep
from lxml import etree

#: By what was installed: the folder has the name of the Python that packed it.
_files = distribution("onvif-zeep").files or ()
_events = next(file for file in _files if file.name == "events.wsdl")

ONVIF = Path(str(_events.locate())).resolve().parent
"""The folder of the WSDLs."""

TEV, TDS = "http://www.onvif.org/ver10/events/wsdl", "http://www.onvif.org/ver10/device/wsdl"
TT, TNS1 = "http://www.onvif.org/ver10/schema", "http://www.onvif.org/ver10/topics"
CONCRETE_SET = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
NT = "http://docs.oasis-open.org/wsn/b-2"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
#: Bindings in which an operation is looked for; for those that several have, the first.
_BINDINGS = (
    (TDS, "DeviceBinding"),
    (TEV, "EventBinding"),
    (TEV, "PullPointSubscriptionBinding"),
    (TEV, "SubscriptionManagerBinding"),
)


@cache
def _wsdl(namespace: str) -> Any:
    name = "events.wsdl" if namespace == TEV else "devicemgmt.wsdl"
    return zeep.Client(str(ONVIF / name)).wsdl


@cache
def events_schema() -> etree.XMLSchema:
    """The schema in ONVIF's WSDL of events, with those of WS-Notification that it imports."""
    path = ONVIF / "events.wsdl"
    types = etree.parse(str(path)).getroot().find("{http://schemas.xmlsoap.org/wsdl/}types")
    return etree.XMLSchema(etree.fromstring(etree.tostring(types[0]), base_url=str(path)))


def answer_of(name: str, **values: Any) -> etree._Element:
    """The envelope of a response, written by zeep."""
    for namespace, binding in _BINDINGS:
        operations = _wsdl(namespace).bindings[f"{{{namespace}}}{binding}"]._operations
        if name in operations:
            return operations[name].output.serialize(**values).content
    raise LookupError(name)
