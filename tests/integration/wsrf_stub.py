"""A service group in one process, in memory: stands in for the service where tests need one.

Run as a program it prints its address and serves until it is ended. It also plays what the real
service never does: a clock that is off, an entry without CurrentTime.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lxml import etree

from aggregator import errors
from aggregator.wire import envelope as soap
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import BY_BODY, GT4, OASIS, Dialect, Operation
from aggregator.wire.epr import EndpointReference, entry_key, read_epr, write_epr
from aggregator.wire.faults import write_fault
from aggregator.wire.parse import Element, parse, serialise
from aggregator.wire.qnames import read_qname
from aggregator.wire.times import SECOND, format_datetime, parse_datetime, parse_moment

NIL = f' xmlns:xsi="{ns.XSI}" xsi:nil="true"'


@dataclass
class Entry:
    member: EndpointReference
    content: Element
    termination: int | None


@dataclass
class Stub:
    skew: int = 0
    current_time: bool = True
    dialects: tuple[str, ...] = ("gt4", "oasis")
    address: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)

    def now(self) -> int:
        return time.time_ns() // 1000 + self.skew

    def standing(self) -> dict[str, Entry]:
        now = self.now()
        return {
            key: entry
            for key, entry in list(self.entries.items())
            if entry.termination is None or entry.termination > now
        }

    def answer(self, message: soap.Envelope, path: str) -> bytes:
        found = BY_BODY.get(str(message.body.tag))
        if found is None or found[1].name not in self.dialects:
            raise errors.UnknownOperation(f"No such operation {message.body.tag!r}")
        operation, dialect = found
        key = (message.entry_key() or ("", path.partition("Entry/")[2]))[1]
        if "Entry" in path and key not in self.standing():
            raise errors.ResourceUnknown(f"no entry {key!r}")
        return Call(self, operation, dialect, message.body, key).reply()


@dataclass
class Call:
    stub: Stub
    operation: Operation
    dialect: Dialect
    body: Element
    key: str

    def reply(self) -> bytes:
        name = self.operation.name
        answer = {
            "Add": self.add,
            "SetTerminationTime": self.set_termination_time,
            "Destroy": self.destroy,
        }.get(name)
        if answer is not None:
            return answer()
        opening = f'<rp:{name}Response xmlns:rp="{self.dialect.rp}">'.encode()
        return opening + self.read(name) + f"</rp:{name}Response>".encode()

    def add(self) -> bytes:
        sg = self.dialect.sg
        content = self.body.find(ns.clark(sg, "Content"))
        if (
            content is None
            or content.find(f".//{{{ns.AGG}}}AggregatorSubscriptionType") is not None
        ):
            raise errors.ConfigError("not built yet", element="AggregatorSubscriptionType")
        member = self.body.find(ns.clark(sg, "MemberEPR"))
        assert member is not None
        wanted = self.body.findtext(ns.clark(sg, "InitialTerminationTime"))
        termination = None if wanted is None else parse_moment(wanted, now=self.stub.now())
        key = uuid.uuid4().hex
        self.stub.entries[key] = Entry(read_epr(member), content, termination)
        if self.dialect.family == "gt4":
            return write_epr(self.entry(key), name="AddResponse", namespace=sg, dialect=GT4)
        reference = write_epr(
            self.entry(key), name="ServiceGroupEntryReference", namespace=sg, dialect=OASIS
        )
        return (
            f'<sg:AddResponse xmlns:sg="{sg}">'.encode()
            + reference
            + self.time("sg", sg, "TerminationTime", termination)
            + self.time("sg", sg, "CurrentTime", self.stub.now())
            + b"</sg:AddResponse>"
        )

    def entry(self, key: str) -> EndpointReference:
        return EndpointReference(self.stub.address + "Entry", properties=(entry_key("g", key),))

    def set_termination_time(self) -> bytes:
        rl = self.dialect.rl
        wanted = self.body.find(ns.clark(rl, "RequestedTerminationTime"))
        assert wanted is not None
        nil = wanted.get(ns.clark(ns.XSI, "nil")) == "true"
        termination = None if nil else parse_datetime(wanted.text or "")
        self.stub.entries[self.key].termination = termination
        return (
            f'<rl:SetTerminationTimeResponse xmlns:rl="{rl}">'.encode()
            + self.time("rl", rl, "NewTerminationTime", termination)
            + self.time("rl", rl, "CurrentTime", self.stub.now())
            + b"</rl:SetTerminationTimeResponse>"
        )

    def destroy(self) -> bytes:
        del self.stub.entries[self.key]
        return f'<rl:DestroyResponse xmlns:rl="{self.dialect.rl}"/>'.encode()

    def time(self, prefix: str, namespace: str, name: str, instant: int | None) -> bytes:
        opening = f'{prefix}:{name} xmlns:{prefix}="{namespace}"'
        if instant is None:
            return f"<{opening}{NIL}/>".encode()
        return f"<{opening}>{format_datetime(instant)}</{prefix}:{name}>".encode()

    def read(self, name: str) -> bytes:
        if name == "GetResourceProperty":
            return b"".join(self.properties(read_qname(self.body)))
        if name == "GetMultipleResourceProperties":
            return b"".join(
                value for asked in self.body for value in self.properties(read_qname(asked))
            )
        document = parse(
            b'<i:IndexRP xmlns:i="http://mds.globus.org/index">'
            + b"".join(self.properties(ns.clark(self.dialect.sg, "Entry")))
            + b"</i:IndexRP>"
        )
        if name == "GetResourcePropertyDocument":
            return serialise(document)
        return self.query(document)

    def query(self, document: Element) -> bytes:
        expression = self.body[0]
        prefixes = {prefix: uri for prefix, uri in expression.nsmap.items() if prefix}
        try:
            found = document.xpath((expression.text or "").strip(), namespaces=prefixes)
        except etree.XPathError as error:
            raise errors.InvalidQuery(str(error)) from error
        if isinstance(found, list):
            return b"".join(serialise(node) for node in found)
        text = str(found).lower() if isinstance(found, bool) else f"{found:g}"
        return text.encode()

    def properties(self, name: str) -> list[bytes]:
        rl, sg = self.dialect.rl, self.dialect.sg
        if name == ns.clark(rl, "CurrentTime") and self.stub.current_time:
            return [self.time("rl", rl, "CurrentTime", self.stub.now())]
        if name == ns.clark(rl, "TerminationTime") and self.key:
            termination = self.stub.entries[self.key].termination
            return [self.time("rl", rl, "TerminationTime", termination)]
        if name == ns.clark(sg, "Entry") and not self.key:
            return [self.entry_property(key, entry) for key, entry in self.stub.standing().items()]
        raise errors.InvalidPropertyName(f"there is no property {name}")

    def entry_property(self, key: str, entry: Entry) -> bytes:
        sg = self.dialect.sg
        content = parse(serialise(entry.content))
        content.tag = ns.clark(sg, "Content")
        return b"".join(
            (
                f'<sg:Entry xmlns:sg="{sg}">'.encode(),
                write_epr(
                    self.entry(key),
                    name="ServiceGroupEntryEPR",
                    namespace=sg,
                    dialect=self.dialect,
                ),
                write_epr(
                    entry.member, name="MemberServiceEPR", namespace=sg, dialect=self.dialect
                ),
                serialise(content),
                b"</sg:Entry>",
            )
        )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    stub: Stub

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        operation, dialect = None, OASIS
        try:
            message = soap.read_envelope(parse(data))
            soap.check_understood(message)
            operation, dialect = BY_BODY.get(str(message.body.tag), (None, OASIS))
            body, status = self.stub.answer(message, self.path), 200
        except errors.AggregatorException as error:
            fault = write_fault(
                error,
                version=soap.SOAP11,
                dialect=dialect,
                now=self.stub.now(),
                operation=operation,
            )
            body, status = fault.body, fault.status
            if isinstance(error, errors.UnknownOperation):
                body = foreign_fault(str(error))
        reply = soap.write_envelope(soap.SOAP11, body)
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:
        pass


def foreign_fault(text: str) -> bytes:
    """How a container of another make refuses an operation: a fault that is none of WSRF's."""
    return (
        f"<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{text}</faultstring>"
        '<detail><h:hostname xmlns:h="urn:container">here</h:hostname></detail></soapenv:Fault>'
    ).encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--skew", type=float, default=0, help="seconds")
    parser.add_argument("--no-current-time", action="store_true")
    parser.add_argument("--dialects", default="gt4,oasis")
    options = parser.parse_args()
    stub = Stub(
        skew=int(options.skew * SECOND),
        current_time=not options.no_current_time,
        dialects=tuple(options.dialects.split(",")),
    )
    handler = type("BoundHandler", (Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", options.port), handler)
    stub.address = f"http://127.0.0.1:{server.server_port}/wsrf/services/DefaultIndexService"
    print(stub.address)
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
