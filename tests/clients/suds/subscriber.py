"""Subscribe with suds, renew and end the subscription; print what came back as JSON."""

import json
import sys

from client import DRAFT, FINAL, Wire, element, load

NT = {
    "oasis": "http://docs.oasis-open.org/wsn/b-2",
    "gt4": "http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd",
}
SIMPLE = {
    "oasis": "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple",
    "gt4": "http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple",
}


def topic(dialect):
    """The topic Entry; its prefix is declared on the Envelope, as suds does it."""
    return element(
        f'<n:TopicExpression xmlns:n="{NT[dialect]}" Dialect="{SIMPLE[dialect]}">sg:Entry'
        "</n:TopicExpression>"
    )


def main(url, dialect, *words):
    """Subscribe until the first time, renew until the second, end."""
    consumer, initial, renewed, soap = words
    assert soap == "1.1"
    wire = Wire(DRAFT if dialect == "gt4" else FINAL)
    client = load(url, dialect, wire)
    asked = {"ConsumerReference": {"Address": consumer}, "InitialTerminationTime": initial}
    if dialect == "gt4":
        asked["TopicExpression"] = topic(dialect)
    else:
        asked["Filter"] = client.factory.create(f"{{{NT[dialect]}}}FilterType")
        asked["Filter"].TopicExpression = topic(dialect)
    reply = client.service.Subscribe(**asked)
    manager = str(reply.SubscriptionReference.Address)
    port = load(manager, dialect, wire).service
    if dialect == "gt4":
        time = port.SetTerminationTime(renewed).NewTerminationTime
        port.Destroy()
    else:
        time = port.Renew(renewed).TerminationTime
        port.Unsubscribe()
    print(json.dumps({"manager": manager, "renewed": time.isoformat()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
