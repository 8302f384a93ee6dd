"""What onvif-zeep does at a camera, done at a group: subscribe, pull, renew, unsubscribe.

Usage: puller.py ADDRESS [TOPIC]. Each line of standard input makes it pull once, with a timeout of
so many seconds; each answer is a line of JSON: what was pulled, with the time until the end.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from importlib.metadata import distribution
from typing import Any

from lxml import etree
from onvif import ONVIFService

EVENTS = "http://www.onvif.org/ver10/events/wsdl"
TOPICS = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
WSDL = str(
    next(
        file for file in distribution("onvif-zeep").files or () if file.name == "events.wsdl"
    ).locate()
)


def service(address: str, binding: str) -> Any:
    """A client of one of the services that ONVIF's WSDL of events describes."""
    name = f"{{{EVENTS}}}{binding}"
    return ONVIFService(address, "user", "secret", WSDL, no_cache=True, binding_name=name)


def seconds(times: Any) -> float:
    """From the one time to the other."""
    return float((times.TerminationTime - times.CurrentTime).total_seconds())


def filter_by(topic: str, events: Any) -> Any:
    """A Filter with one TopicExpression, in the dialect of ONVIF."""
    expression = etree.Element(
        "{http://docs.oasis-open.org/wsn/b-2}TopicExpression",
        Dialect=TOPICS,
        nsmap={"sg": "http://docs.oasis-open.org/wsrf/sg-2"},
    )
    expression.text = topic
    kind = events.zeep_client.get_type("{http://docs.oasis-open.org/wsn/b-2}FilterType")
    return kind(_value_1=[expression])


def main() -> None:
    address, *topics = sys.argv[1:]
    events = service(address, "EventBinding")
    told = events.GetEventProperties()
    wanted: dict[str, Any] = {"InitialTerminationTime": "PT30S"}
    if topics:
        wanted["Filter"] = filter_by(topics[0], events)
    made = events.CreatePullPointSubscription(wanted)
    where = made.SubscriptionReference.Address._value_1
    print(
        json.dumps(
            {
                "dialects": told.TopicExpressionDialect,
                "topics": [element.tag for element in told.TopicSet._value_1],
                "pulls": events.GetServiceCapabilities().WSPullPointSupport,
                "lasts": seconds(made),
            }
        ),
        flush=True,
    )
    pulling = service(where, "PullPointSubscriptionBinding")
    for line in sys.stdin:
        timeout = timedelta(seconds=float(line))
        found = pulling.PullMessages({"Timeout": timeout, "MessageLimit": 100})
        texts = [etree.tostring(one.Message._value_1).decode() for one in found.NotificationMessage]
        print(json.dumps({"messages": texts, "lasts": seconds(found)}), flush=True)
    manager = service(where, "SubscriptionManagerBinding")
    print(json.dumps({"renewed": seconds(manager.Renew({"TerminationTime": "PT1M"}))}))
    manager.Unsubscribe()


if __name__ == "__main__":
    main()
