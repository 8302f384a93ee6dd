"""Consumers and producers of notifications for tests: real HTTP servers on free ports."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lxml import etree

from tests import soap
from tests.waiting import until

NT = {
    "gt4": "http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd",
    "oasis": "http://docs.oasis-open.org/wsn/b-2",
}
TOPICS = {
    "gt4": "http://docs.oasis-open.org/wsn/2004/06/TopicExpression/",
    "oasis": "http://docs.oasis-open.org/wsn/t-1/TopicExpression/",
}
Respond = Callable[[str, bytes], tuple[int, bytes]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def http_server(respond: Respond, *, content_type: str = "text/xml") -> Iterator[str]:
    """The URL of a server whose POSTs are answered by a function of the path and the body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = respond(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", f"{content_type}; charset=utf-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Consumer:
    """What came to a consumer, and how it answers: `respond` may be set while it runs."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    respond: Callable[[bytes], int] = lambda body: 202

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Take a message, unless it is told not to."""
        status = self.respond(body)
        if status == 202:
            self.bodies.append(body)
        return status, b""

    def messages(self) -> list[etree._Element]:
        """The children of Message of all notifications, in order; raw messages as they are."""
        found: list[etree._Element] = []
        for body in list(self.bodies):
            child = etree.fromstring(body).find("{*}Body")[0]
            if etree.QName(child).localname != "Notify":
                found.append(child)
                continue
            found += [one[0] for one in child.iterfind("{*}NotificationMessage/{*}Message")]
        return found

    def ids(self) -> list[str]:
        """The ids of all notifications, in order."""
        return [
            i
            for body in list(self.bodies)
            for i in re.findall(r'Notification id="([^"]+)"', body.decode())
        ]

    def until_messages(self, count: int, *, within: float = 20) -> list[etree._Element]:
        """The messages, once there are so many."""
        until(lambda: len(self.messages()) >= count, within=within, what=f"{count} notifications")
        return self.messages()


@contextlib.contextmanager
def consumer() -> Iterator[Consumer]:
    """A consumer that runs as long as the block."""
    made = Consumer()
    with http_server(made.answer) as url:
        made.url = f"{url}/service"
        yield made


def subscribe_body(
    consumer: str,
    topic: str = "sg:Entry",
    *,
    family: soap.Family = "oasis",
    kind: str = "Simple",
    more: str = "",
    filters: str = "",
    termination: str = "",
    raw: bool = False,
) -> str:
    """A Subscribe; the prefixes sg, rp, rl and agg are declared on it."""
    ns, nt = soap.NS[family], NT[family]
    declared = "".join(f' xmlns:{p}="{ns[p]}"' for p in ("sg", "rp", "rl"))
    expression = ""
    if topic:
        dialect = TOPICS[family] + kind
        expression = f'<n:TopicExpression Dialect="{dialect}">{topic}</n:TopicExpression>'
    time_ = (
        f"<n:InitialTerminationTime>{termination}</n:InitialTerminationTime>" if termination else ""
    )
    reference = (
        f'<n:ConsumerReference><wsa:Address xmlns:wsa="{ns["wsa"]}">{consumer}</wsa:Address>'
        "</n:ConsumerReference>"
    )
    if family == "gt4":
        use = "<n:UseNotify>false</n:UseNotify>" if raw else ""
        inner = reference + expression + use + filters + more + time_
    else:
        policy = "<n:UseRaw/>" if raw else ""
        policy = (
            f"<n:SubscriptionPolicy>{policy}{more}</n:SubscriptionPolicy>" if policy or more else ""
        )
        kept = expression + filters
        inner = reference + (f"<n:Filter>{kept}</n:Filter>" if kept else "") + time_ + policy
    return f'<n:Subscribe xmlns:n="{nt}" xmlns:agg="{soap.AGG}"{declared}>{inner}</n:Subscribe>'


def subscribe(producer: str, consumer: str, topic: str = "sg:Entry", **more: object) -> str:
    """Subscribe; the address of the subscription's manager."""
    answer = soap.call(producer, subscribe_body(consumer, topic, **more))  # type: ignore[arg-type]
    assert answer.status == 200, answer.content
    return answer.body.findtext("{*}SubscriptionReference/{*}Address") or ""


def manage(
    manager: str, operation: str, *, family: soap.Family = "oasis", inner: str = ""
) -> soap.Answer:
    """Call a subscription manager."""
    spec = {"SetTerminationTime": "rl", "Destroy": "rl"}.get(operation, "nt")
    namespace = NT[family] if spec == "nt" else soap.NS[family][spec]
    return soap.call(manager, f'<o:{operation} xmlns:o="{namespace}">{inner}</o:{operation}>')


@dataclass
class Producer:
    """A producer that does what it is told: its subscriptions by key, the calls that came.

    `refuse` is a fault to answer to the next Subscribe; `lifetime` is in seconds.
    """

    url: str = ""
    family: soap.Family = "oasis"
    lifetime: float = 60.0
    refuse: str = ""
    forgets: bool = False
    hangs: float = 0.0
    calls: list[str] = field(default_factory=list)
    subscriptions: dict[str, str] = field(default_factory=dict)

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer a call."""
        root = etree.fromstring(body).find("{*}Body")[0]
        namespace, name = etree.QName(root).namespace, etree.QName(root).localname
        self.calls.append(name)
        time.sleep(self.hangs)
        if namespace not in (NT[self.family], soap.NS[self.family]["rl"]):
            return 500, _fault("soapenv:Client", "unknown operation", "")
        if name == "Subscribe":
            return self._subscribe(root)
        key = re.search(r"/service/([0-9]+)", body.decode())
        if self.forgets or key is None or key[1] not in self.subscriptions:
            r = "http://docs.oasis-open.org/wsrf/r-2"
            spec = NT["gt4"] if self.family == "gt4" else r
            detail = f'<f:ResourceUnknownFault xmlns:f="{spec}"/>'
            return 500, _fault("soapenv:Client", "no such subscription", detail)
        if name in ("Unsubscribe", "Destroy"):
            del self.subscriptions[key[1]]
        return 200, self._response(name)

    def _subscribe(self, root: etree._Element) -> tuple[int, bytes]:
        if self.refuse:
            detail = f'<f:{self.refuse} xmlns:f="{NT[self.family]}"/>'
            return 500, _fault("soapenv:Client", "it is not wanted", detail)
        self.forgets = False
        key = str(len(self.calls))
        self.subscriptions[key] = root.findtext("{*}ConsumerReference/{*}Address") or ""
        wsa = soap.NS[self.family]["wsa"]
        inner = (
            f'<n:SubscriptionReference><wsa:Address xmlns:wsa="{wsa}">{self.url}/{key}'
            "</wsa:Address></n:SubscriptionReference>"
        )
        if self.family == "oasis":
            inner += self._times("CurrentTime", "TerminationTime")
        nt = NT[self.family]
        return 200, soap.envelope(
            f'<n:SubscribeResponse xmlns:n="{nt}">{inner}</n:SubscribeResponse>'
        )

    def _times(self, *names: str) -> str:
        told = {"CurrentTime": 0.0}
        return "".join(f"<n:{n}>{_instant(told.get(n, self.lifetime))}</n:{n}>" for n in names)

    def _response(self, name: str) -> bytes:
        namespace = NT[self.family]
        inner = ""
        if name == "Renew":
            inner = self._times("TerminationTime", "CurrentTime")
        if name in ("SetTerminationTime", "Destroy"):
            namespace = soap.NS[self.family]["rl"]
        if name == "SetTerminationTime":
            inner = self._times("NewTerminationTime", "CurrentTime")
        return soap.envelope(f'<n:{name}Response xmlns:n="{namespace}">{inner}</n:{name}Response>')

    def notify(
        self, content: str, *, producer: str = "", to: str = "", wrapped: bool = True
    ) -> soap.Answer:
        """Notify the one that subscribed last, or a consumer at an address."""
        address = to or list(self.subscriptions.values())[-1]
        if not wrapped:
            return soap.call(address, content)
        nt, wsa = NT[self.family], soap.NS[self.family]["wsa"]
        reference = (
            f'<n:ProducerReference><wsa:Address xmlns:wsa="{wsa}">{producer}</wsa:Address>'
            "</n:ProducerReference>"
            if producer
            else ""
        )
        return soap.call(
            address,
            f'<n:Notify xmlns:n="{nt}"><n:NotificationMessage>'
            f'<n:Topic Dialect="{TOPICS[self.family]}Simple" xmlns:t="urn:t">t:Load</n:Topic>'
            f"{reference}<n:Message>{content}</n:Message></n:NotificationMessage></n:Notify>",
        )

    def change(self, value: str) -> str:
        """The message that the property t:Load has a value."""
        plural = "s" if self.family == "oasis" else ""
        rp = soap.NS[self.family]["rp"]
        return (
            f'<rp:ResourcePropertyValueChangeNotification xmlns:rp="{rp}"><rp:NewValue{plural}>'
            f'<t:Load xmlns:t="urn:t">{value}</t:Load></rp:NewValue{plural}>'
            "</rp:ResourcePropertyValueChangeNotification>"
        )


@contextlib.contextmanager
def producer(**settings: object) -> Iterator[Producer]:
    """A producer that runs as long as the block."""
    made = Producer(**settings)  # type: ignore[arg-type]
    with http_server(made.answer) as url:
        made.url = f"{url}/service"
        yield made


def subscription_config(
    topic: str = "t:Load", *, family: soap.Family = "oasis", more: str = ""
) -> str:
    """An AggregatorConfig that subscribes to a topic; the prefixes t and sg are declared."""
    return (
        f'<agg:AggregatorConfig xmlns:agg="{soap.AGG}"><agg:AggregatorSubscriptionType>'
        f'<agg:TopicExpression xmlns:t="urn:t" xmlns:sg="{soap.NS[family]["sg"]}" '
        f'Dialect="{TOPICS[family]}Simple">{topic}</agg:TopicExpression>{more}'
        "</agg:AggregatorSubscriptionType></agg:AggregatorConfig>"
    )


def _instant(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def _fault(code: str, text: str, detail: str) -> bytes:
    return (
        f'<soapenv:Envelope xmlns:soapenv="{soap.SOAP11}"><soapenv:Body><soapenv:Fault>'
        f"<faultcode>{code}</faultcode><faultstring>{text}</faultstring>"
        f"<detail>{detail}</detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    ).encode()
