"""A service of canned replies: strict with what a client sends, and correct in what it answers."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from xml.sax.saxutils import escape

from lxml import etree

from aggregator.server.schemas import schema
from aggregator.server.wsdl import wsdl
from tests.clients import messages
from tests.clients.messages import AGG, NAMES
from tests.clients.own_schemas import dialect_schema

GROUP = "/wsrf/services/DefaultIndexService"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
MEDIA = {SOAP11: "text/xml", SOAP12: "application/soap+xml"}
OPERATIONS = {
    f"{{{getattr(NAMES[dialect], spec)}}}{name}": (dialect, name)
    for dialect in NAMES
    for spec, name in (("sg", "Add"), ("rp", "GetResourceProperty"), ("rl", "SetTerminationTime"))
}


@dataclass(frozen=True, slots=True)
class Call:
    """What reached the stub: who sent what in which SOAP version."""

    soap: str
    dialect: str
    operation: str


class Refused(Exception):
    """Raised when a request is not what the schema or the dialect asks for; holds the detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


@dataclass
class Stub:
    """The state of one running stub; `refused` holds the reason of every refusal."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    members: dict[str, str] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            return self._document(environ, start)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        envelope = etree.fromstring(body)
        soap = str(etree.QName(envelope).namespace)
        try:
            content = self._answer(envelope, soap, environ["CONTENT_TYPE"])
            status = "200 OK"
        except Refused as error:
            self.refused.append(str(error))
            content = _fault(soap, str(error), error.detail)
            status = "500 Internal Server Error"
        text = f'<e:Envelope xmlns:e="{soap}"><e:Header/><e:Body>{content}</e:Body></e:Envelope>'
        return _send(start, status, f"{MEDIA[soap]}; charset=utf-8", text.encode())

    def _document(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        found = schema(path.removeprefix("/schemas/"))
        if query in {"wsdl", "wsdl=gt4"}:
            services = {
                GROUP: "group",
                f"{GROUP}Entry": "entry",
                "/wsrf/services/HostService": "member",
                "/wsrf/services/NotificationConsumerService": "consumer",
                "/wsrf/services/SubscriptionManagerService": "subscription",
            }
            found = wsdl(
                services[path],
                "gt4" if query == "wsdl=gt4" else "oasis",
                address=self.url + path,
                schemas=f"{self.url}/schemas",
            )
        status = "404 Not Found" if found is None else "200 OK"
        return _send(start, status, "text/xml; charset=utf-8", found or b"")

    def _answer(self, envelope: etree._Element, soap: str, media: str) -> str:
        if not media.startswith(MEDIA[soap]):
            raise Refused(f"Content-Type {media} with an envelope of {soap}")
        # A copy of its own keeps the prefixes that the envelope declares for QNames in text.
        request = etree.fromstring(etree.tostring(envelope.find(f"{{{soap}}}Body")[0]))
        dialect, operation = OPERATIONS.get(str(request.tag), ("", ""))
        if not dialect:
            raise Refused(f"no operation takes {request.tag}")
        try:
            dialect_schema(dialect).assertValid(request)
        except etree.DocumentInvalid as error:
            raise Refused(f"{operation}: {error}") from error
        self.calls.append(Call(soap, dialect, operation))
        if operation == "Add":
            return self._add(dialect, request)
        if operation == "GetResourceProperty":
            return self._entries(dialect, request)
        return self._set_time(dialect, request, envelope.find(f"{{{soap}}}Header"))

    def _add(self, dialect: str, request: etree._Element) -> str:
        names = NAMES[dialect]
        config = f"{{{names.sg}}}Content/{{{AGG}}}AggregatorConfig/{{{AGG}}}*"
        name = request.findtext(f"{config}/{{{AGG}}}ResourcePropertyName", "")
        block = request.find(config)
        prefix = name.strip().rpartition(":")[0]
        if block is None or not name.strip() or (prefix or None) not in block.nsmap:
            raise Refused(f"Add: no configuration with a property name that resolves: {name!r}")
        member = request.findtext(f"{{{names.sg}}}MemberEPR/{{{names.wsa}}}Address", "").strip()
        key = str(uuid.uuid4())
        self.members[key] = member
        wanted = request.findtext(f"{{{names.sg}}}InitialTerminationTime")
        if wanted is None:
            raise Refused("Add: the InitialTerminationTime did not arrive")
        return messages.add_response(
            dialect,
            address=self._entry_address(key),
            entry_key=key,
            termination=_utc(wanted),
            now=_now(),
        )

    def _entries(self, dialect: str, request: etree._Element) -> str:
        prefix, _, local = (request.text or "").strip().rpartition(":")
        if (request.nsmap.get(prefix or None), local) != (NAMES[dialect].sg, "Entry"):
            raise Refused(f"GetResourceProperty: {request.text!r} is not the Entry property")
        return messages.property_response(
            dialect,
            *(
                messages.entry(dialect, address=self._entry_address(k), entry_key=k, member=m)
                for k, m in list(self.members.items())
            ),
        )

    def _set_time(
        self, dialect: str, request: etree._Element, header: etree._Element | None
    ) -> str:
        # Only the header counts here, though a service also takes the key from the path.
        found = [] if header is None else header.findall(f"*/{{{AGG}}}EntryKey")
        if len(found) != 1 or (found[0].text or "").strip() not in self.members:
            reason = "SetTerminationTime: no header names an entry"
            detail = messages.resource_unknown(dialect, now=_now(), description=reason)
            raise Refused(reason, detail)
        wanted = request.findtext(f"{{{NAMES[dialect].rl}}}RequestedTerminationTime", "")
        return messages.time_response(dialect, termination=_utc(wanted), now=_now())

    def _entry_address(self, key: str) -> str:
        return f"{self.url}{GROUP}Entry/{key}"


def _utc(text: str) -> str:
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fault(soap: str, reason: str, detail: str) -> str:
    text = escape(reason)
    if soap == SOAP11:
        inner = f"<detail>{detail}</detail>" if detail else ""
        code = "<faultcode>e:Client</faultcode>"
        return f"<e:Fault>{code}<faultstring>{text}</faultstring>{inner}</e:Fault>"
    inner = f"<e:Detail>{detail}</e:Detail>" if detail else ""
    code = "<e:Code><e:Value>e:Sender</e:Value></e:Code>"
    words = f'<e:Reason><e:Text xml:lang="en">{text}</e:Text></e:Reason>'
    return f"<e:Fault>{code}{words}{inner}</e:Fault>"


def _send(start: Callable[..., Any], status: str, media: str, body: bytes) -> list[bytes]:
    start(status, [("Content-Type", media), ("Content-Length", str(len(body)))])
    return [body]


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextlib.contextmanager
def running_stub() -> Iterator[Stub]:
    """A stub on a free port of this host, gone when the block ends."""
    stub = Stub()
    with make_server("127.0.0.1", 0, stub, _Server, _Quiet) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
