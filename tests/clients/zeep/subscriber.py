"""Subscribe with zeep, take a Notify with its types, renew and end; print what came as JSON."""

import json
import sys
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import zeep
from client import content, load
from lxml import etree

SG = {
    "oasis": "http://docs.oasis-open.org/wsrf/sg-2",
    "gt4": "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd",
}
NT = {
    "oasis": "http://docs.oasis-open.org/wsn/b-2",
    "gt4": "http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd",
}
SIMPLE = {
    "oasis": "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple",
    "gt4": "http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple",
}


class Handler(BaseHTTPRequestHandler):
    """Keeps the message that came last."""

    def do_POST(self):
        """Take a message."""
        self.server.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.came.set()

    def log_message(self, format, *words):
        """Keep the output clean."""


def topic(dialect):
    """A TopicExpression whose text has a prefix, which must be declared there."""
    return etree.fromstring(
        f'<n:TopicExpression xmlns:n="{NT[dialect]}" xmlns:sg="{SG[dialect]}" '
        f'Dialect="{SIMPLE[dialect]}">sg:Entry</n:TopicExpression>'
    )


class Topic(zeep.Plugin):
    """Puts the drafts' TopicExpression into the Subscribe: zeep writes no text with elements."""

    def egress(self, envelope, headers, operation, options):
        """Replace the element."""
        for element in envelope.iter(f"{{{NT['gt4']}}}TopicExpression"):
            element.getparent().replace(element, topic("gt4"))
        return envelope, headers


def subscribe(client, group, dialect, consumer, until):
    """Subscribe to Entry; the address of the subscription."""
    asked = {"ConsumerReference": {"Address": consumer}}
    if dialect == "oasis":
        asked |= {"Filter": {"_value_1": [topic(dialect)]}, "InitialTerminationTime": until}
    else:
        client.plugins.append(Topic())
        asked |= {
            "TopicExpression": {"Dialect": SIMPLE[dialect]},
            "InitialTerminationTime": datetime.fromisoformat(until),
        }
    return group.Subscribe(**asked).SubscriptionReference.Address._value_1


def notified(wsdl, body):
    """The topic, the producer and the new member, by the types of the consumer's WSDL."""
    client = zeep.Client(wsdl)
    element = etree.fromstring(body).find("{*}Body")[0]
    notify = client.get_element(element.tag).parse(element, client.wsdl.types)
    (holder,) = notify.NotificationMessage
    change = holder.Message
    if isinstance(change, list):
        # The drafts declare a message as anyType, so that zeep leaves its element alone.
        change = client.get_element(change[0].tag).parse(change[0], client.wsdl.types)
        (entry,) = change.NewValue._value_1
    else:
        (entry,) = change._value_1.NewValues._value_1
    return {
        "topic": element.findtext(".//{*}Topic"),
        "producer": holder.ProducerReference.Address._value_1,
        "member": entry.MemberServiceEPR.Address._value_1,
    }


def manage(wsdl, dialect, until):
    """Renew a subscription and end it; until when it was to last."""
    port = zeep.Client(wsdl).service
    if dialect == "oasis":
        renewed = port.Renew(TerminationTime=until).TerminationTime
        port.Unsubscribe()
    else:
        time = datetime.fromisoformat(until)
        renewed = port.SetTerminationTime(RequestedTerminationTime=time).NewTerminationTime
        port.Destroy()
    return renewed.isoformat()


def main(url, dialect, *words):
    """Subscribe until the first time, add a member, renew until the second time, and end."""
    member, initial, renewed, soap = words
    query = "?wsdl=gt4" if dialect == "gt4" else "?wsdl"
    consumer = HTTPServer(("127.0.0.1", 0), Handler)
    consumer.came = threading.Event()
    threading.Thread(target=consumer.serve_forever, daemon=True).start()
    client, group = load(url, dialect, soap)
    here = f"http://127.0.0.1:{consumer.server_port}/"
    manager = subscribe(client, group, dialect, here, initial)
    group.Add(MemberEPR={"Address": member}, Content=content(client, dialect))
    assert consumer.came.wait(20)
    wsdl = url.rpartition("/")[0] + "/NotificationConsumerService" + query
    told = notified(wsdl, consumer.body)
    told |= {"manager": manager, "renewed": manage(manager + query, dialect, renewed)}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
