"""Services of perfSONAR for tests, in a process of their own: an archive, and a lookup service.

    python -m tests.nmwg_peer

It prints its port. Each path below /ma/ answers in its own way, /ls is a lookup service. What came
is told by GET /asked, what is registered by GET /registered; GET /ls/MODE sets how the lookup
service behaves: good, forgetful, refusing, hanging, keyless, half, spiteful.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lxml import etree

NMWG = "http://ggf.org/ns/nmwg/base/2.0/"
NMWGR = "http://ggf.org/ns/nmwg/result/2.0/"
SUMMARY = "http://ggf.org/ns/nmwg/characteristic/delay/summary/20070921/"
PSSERVICE = "http://ggf.org/ns/nmwg/tools/org/perfsonar/service/1.0/"
ECHO = "http://schemas.perfsonar.net/tools/admin/echo/2.0"
MA_KEY = "0123456789abcdef0123456789abcdef"
SUBJECT = (
    '<nmwg:subject id="s1"><nmwgt:endPointPair xmlns:nmwgt="http://ggf.org/ns/nmwg/topology/2.0/">'
    '<nmwgt:src value="192.0.2.1" type="ipv4"/><nmwgt:dst value="192.0.2.2" type="ipv4"/>'
    "</nmwgt:endPointPair></nmwg:subject>"
    "<nmwg:eventType>http://ggf.org/ns/nmwg/tools/owamp/2.0</nmwg:eventType>"
)
DATUM = (
    f'<summary:datum xmlns:summary="{SUMMARY}" timeType="unix" startTime="1282745952.1" '
    'endTime="1282746009.2" min_delay="0.0151" max_delay="0.0152" sent="600" loss="0"/>'
)


def pair(number: int, inside: str, datum: str) -> str:
    """A metadata and its data."""
    return (
        f'<nmwg:metadata id="metadata.{number}" metadataIdRef="m1">{inside}</nmwg:metadata>'
        f'<nmwg:data id="data.{number}" metadataIdRef="metadata.{number}">{datum}</nmwg:data>'
    )


def result(number: int, event_type: str, text: str) -> str:
    """A result code with its text, as archives write it."""
    return pair(
        number,
        f"<nmwg:eventType>{event_type}</nmwg:eventType>",
        f'<nmwgr:datum xmlns:nmwgr="{NMWGR}">{text}</nmwgr:datum>',
    )


def message(inside: str, type: str = "SetupDataResponse") -> str:
    """A message that answers."""
    return f'<nmwg:message xmlns:nmwg="{NMWG}" id="message.7" type="{type}">{inside}</nmwg:message>'


def envelope(inside: str) -> str:
    """As services of perfSONAR wrap it."""
    return (
        '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<SOAP-ENV:Header/><SOAP-ENV:Body>{inside}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


GOOD = message(pair(1, SUBJECT, DATUM))
NOT_FOUND = result(2, "error.ma.storage", "Database &quot;store.xml&quot; returned 0 results")
EMPTY = pair(3, SUBJECT, f'<r:datum xmlns:r="{NMWGR}">Query returned 0 results</r:datum>')
KEY = (
    '<nmwg:key><nmwg:parameters id="params.0"><nmwg:parameter name="maKey">'
    f"{MA_KEY}</nmwg:parameter></nmwg:parameters></nmwg:key>"
)
FAULT = (
    "<SOAP-ENV:Fault><faultcode>SOAP-ENV:Server</faultcode><faultstring>out of order</faultstring>"
    "</SOAP-ENV:Fault>"
)
#: What is answered at a path below /ma/, whatever is asked.
ANSWERS = {
    "good": envelope(GOOD),
    "bare": GOOD,
    "empty": envelope(message(EMPTY)),
    "error": envelope(message(NOT_FOUND)),
    "mixed": envelope(message(pair(1, SUBJECT, DATUM) + NOT_FOUND)),
    "unread": envelope(
        message(
            result(4, "error.transport.parse_error", "Error parsing request: no"), "ErrorResponse"
        )
    ),
    "fault": envelope(FAULT),
    "several": envelope(GOOD + GOOD),
    "nothing": envelope(message("")),
    "foreign": envelope(GOOD.replace(NMWG, "urn:other")),
    "html": "<html><body>It works</body></html>",
    "text": "out of order",
    "doctype": f"<!DOCTYPE a [<!ENTITY x 'y'>]>{GOOD}",
    "deep": envelope(message(pair(1, SUBJECT, "<a>" * 250 + "</a>" * 250))),
    "huge": envelope(message(pair(1, SUBJECT, DATUM + "<!--" + "x" * 2**20 + "-->"))),
}


@dataclass
class Peer:
    """What came, and what the lookup service knows."""

    asked: list[dict[str, str]] = field(default_factory=list)
    registered: dict[str, dict[str, Any]] = field(default_factory=dict)
    mode: str = "good"

    def archive(self, name: str, asked: etree._Element) -> str:
        """The reply of the archive; one that answers as it is asked is at /ma/pSB."""
        if name == "hang":
            time.sleep(60)
        if name != "pSB":
            return ANSWERS.get(name, "")
        kind = str(asked.get("type")).replace("Request", "Response")
        if kind == "EchoResponse":
            return envelope(
                message(result(1, "success.echo", "The echo request has passed."), kind)
            )
        datum = KEY if kind == "MetadataKeyResponse" else DATUM
        return envelope(message(pair(1, SUBJECT, datum), kind))

    def lookup(self, asked: etree._Element) -> str:
        """The reply of the lookup service."""
        if self.mode == "hanging":
            time.sleep(60)
        kind = str(asked.get("type"))
        key = asked.findtext(f".//{{{NMWG}}}parameter[@name='lsKey']") or ""
        if self.mode == "spiteful":
            return ANSWERS["deep"]
        if self.mode == "refusing":
            return _told(kind, "error.ls.refused", "not today")
        if kind == "LSRegisterRequest":
            return self._register(asked, key)
        if key not in self.registered:
            return _told(kind, "error.ls.key_not_found", f"Sent key {key} was not registered.")
        if kind == "LSDeregisterRequest":
            del self.registered[key]
        else:
            self.registered[key]["kept"] += 1
        name = kind.removeprefix("LS").removesuffix("Request").lower()
        return _told(kind, f"success.ls.{name}", "done")

    def _register(self, asked: etree._Element, key: str) -> str:
        names = ("serviceName", "accessPoint", "serviceType", "serviceDescription")
        service = {name: asked.findtext(f".//{{{PSSERVICE}}}{name}") or "" for name in names}
        key = key or hashlib.md5(service["accessPoint"].encode()).hexdigest()
        data = asked.findall(f"{{{NMWG}}}data/{{{NMWG}}}metadata")
        known = self.registered.setdefault(key, {**service, "kept": 0, "data": [], "messages": 0})
        if self.mode == "half" and known["messages"]:
            return _told("LSRegisterRequest", "error.ls.xmldb", "Database errors")
        known["data"] += [one.get("id") for one in data]
        known["messages"] += 1
        if self.mode == "keyless":
            key = ""
        return _told("LSRegisterRequest", "success.ls.register", f"[{len(data)}] elements", key)


def _told(kind: str, event_type: str, text: str, key: str = "") -> str:
    """A lookup service's result: its key, if any, in the metadata, its text as an attribute."""
    held = (
        f'<nmwg:key><nmwg:parameters><nmwg:parameter name="lsKey">{key}</nmwg:parameter>'
        "</nmwg:parameters></nmwg:key>"
    )
    told = f"<nmwg:eventType>{event_type}</nmwg:eventType>"
    datum = f'<nmwg:datum value="{text}"/>'
    return envelope(
        message(pair(1, (held if key else "") + told, datum), kind.replace("Request", "Response"))
    )


class _Handler(BaseHTTPRequestHandler):
    peer: Peer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        room, _, name = self.path.partition("?")[0].strip("/").partition("/")
        asked = next(etree.fromstring(body).iter(f"{{{NMWG}}}message"))
        self.peer.asked.append(
            {
                "path": self.path,
                "type": str(asked.get("type")),
                "action": self.headers.get("SOAPAction", ""),
                "content_type": self.headers.get("Content-Type", ""),
                "body": body.decode(),
            }
        )
        if name == "redirect":
            self.send_response(302)
            self.send_header("Location", "/ma/good")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(self.peer.lookup(asked) if room == "ls" else self.peer.archive(name, asked))

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name.startswith("ls/"):
            self.peer.mode = name[3:]
            if self.peer.mode == "forgetful":
                self.peer.registered.clear()
                self.peer.mode = "good"
        shown = {"asked": self.peer.asked, "registered": self.peer.registered}
        self._send(json.dumps(shown.get(name, {})))

    def _send(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/xml" if text[:1] == "<" else "text/plain")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *given: object) -> None:
        pass


@dataclass(frozen=True, slots=True)
class RunningPeer:
    """The process; `url` has no slash at its end."""

    url: str

    def ask(self, what: str) -> Any:
        """What it tells of itself."""
        with urllib.request.urlopen(f"{self.url}/{what}", timeout=10) as answer:
            return json.loads(answer.read())

    def types(self, path: str = "/ls") -> list[str]:
        """The types of the messages that came to a path."""
        return [one["type"] for one in self.ask("asked") if one["path"] == path]


@contextmanager
def nmwg_peer() -> Iterator[RunningPeer]:
    """The services as long as the block."""
    command = [sys.executable, "-m", "tests.nmwg_peer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield RunningPeer(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()
            process.wait(10)


if __name__ == "__main__":
    _Handler.peer = Peer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
