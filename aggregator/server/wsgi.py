"""The WSGI application: routes by path, reads requests within their limits, answers every error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from aggregator.errors import AggregatorException, RequestTooLarge
from aggregator.server import metrics
from aggregator.server.answers import Answer
from aggregator.server.blocks import in_blocks
from aggregator.server.body import charset_of, read_body
from aggregator.server.callers import caller_of, leaving_of
from aggregator.server.dispatch import dispatch, fault_dialect
from aggregator.server.documents import Document, get_document
from aggregator.server.gzipping import accepts_gzip, compressed
from aggregator.server.measurement_door import MeasurementDoor
from aggregator.server.refusal import Heard, http_headers, refuse
from aggregator.server.reports.door import PATH as REPORTS
from aggregator.server.reports.door import ReportDoor
from aggregator.server.request import ENVIRON_KEY, SIZE_KEY, Request
from aggregator.server.routes import parse_target, service_target
from aggregator.server.sending import STATUS, StartResponse, send, told
from aggregator.server.service import soap_applications
from aggregator.server.short_way import ShortWay
from aggregator.server.site import Site
from aggregator.store.writing import begin, write_now
from aggregator.waiting import AT_ONCE, Later, WouldWait
from aggregator.wire.dialects import NOTIFY
from aggregator.wire.envelope import check_understood, read_envelope
from aggregator.wire.parse import Limits, parse

log = logging.getLogger(__name__)

Environ = Mapping[str, Any]

#: Bytes that are compressed in about a millisecond; for more a thread is worth its while.
_QUICKLY_PACKED = 256 * 1024


class WsgiService:
    """The whole service as a WSGI callable (PEP 3333)."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._soap = soap_applications(site)
        self._short_ways = {name: ShortWay(one.app) for name, one in self._soap.items()}
        self._reports: ReportDoor | None = None
        if site.settings.reports.tokens:
            self._reports = ReportDoor(site.settings, site.registry.store)
        self._measurement = _measurement(site)
        server = site.settings.server
        self._limits = Limits(server.max_body, server.max_depth, server.max_nodes)
        most = min(server.max_body, site.settings.notifications.max_message)
        self._notified = replace(self._limits, size=most)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one HTTP request; whatever happens, the client gets an answer of the protocol."""
        method = environ["REQUEST_METHOD"]
        if self._reports is not None and _is_about_reports(environ["PATH_INFO"]):
            return self._reports(environ, start_response)
        if self._measurement is not None and self._measurement.takes(environ["PATH_INFO"]):
            return self._measurement(environ, start_response)
        if method == "POST":
            return self._post(environ, start_response)
        if environ.get(AT_ONCE):
            return Later(partial(self._answer_get, method, environ, start_response))
        return self._answer_get(method, environ, start_response)

    def _answer_get(
        self, method: str, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if method in ("GET", "HEAD"):
            return self._get(environ, start_response, head=method == "HEAD")
        text = f"{method} is not answered here; POST a SOAP envelope, or GET a page\n"
        document = Document(
            405, "text/plain; charset=utf-8", text.encode(), {"Allow": "GET, HEAD, POST"}
        )
        return send(document, start_response)

    def _get(
        self, environ: Environ, start_response: StartResponse, *, head: bool
    ) -> Iterable[bytes]:
        try:
            document = get_document(
                self._site, environ["PATH_INFO"], environ.get("QUERY_STRING", "")
            )
        except Exception:
            log.exception("bug in GET %s", environ["PATH_INFO"])
            document = Document(500, "text/plain; charset=utf-8", b"an internal error\n")
        return send(self._packed(document, environ), start_response, head=head)

    def _packed(self, document: Document, environ: Environ) -> Document:
        """The document as the client takes it: compressed where that is wanted and pays."""
        headers = {**document.headers, "Vary": "Accept-Encoding"}
        body = document.body
        if accepts_gzip(environ) and len(body) >= self._site.settings.server.gzip_minimum:
            body = b"".join(compressed([body]))
            headers["Content-Encoding"] = "gzip"
        return replace(document, body=body, headers=headers)

    def _post(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        heard = Heard()
        try:
            request = self._read(environ, heard)
        except Exception as error:
            answer = partial(self._refuse, error, heard, start_response, began)
            return Later(answer) if environ.get(AT_ONCE) else answer()
        answer = partial(self._call, environ, start_response, request, began)
        way = self._short_ways[request.envelope.version.name]
        if not way.takes(request):
            return Later(answer) if environ.get(AT_ONCE) else answer()
        tell = partial(self._tell, environ, start_response, request, began)
        if environ.get(AT_ONCE):
            return self._begin(way, request, tell, takes_gzip=accepts_gzip(environ))
        return tell(write_now(self._site.registry.store.writer, way.steps(request)))

    def _begin(
        self,
        way: ShortWay,
        request: Request,
        tell: Callable[[Answer], Iterable[bytes]],
        *,
        takes_gzip: bool,
    ) -> Iterable[bytes]:
        """What is ready without waiting, else what to wait for."""
        writer = self._site.registry.store.writer
        try:
            found = begin(writer, way.steps(request))
        except WouldWait:
            return Later(lambda: tell(write_now(writer, way.steps(request))))
        if isinstance(found, Answer) and takes_gzip and found.size > _QUICKLY_PACKED:
            return Later(partial(tell, found))
        return told(found, tell)

    def _read(self, environ: Environ, heard: Heard) -> Request:
        """Read a request as far as it can be read; what was understood of it is in `heard`.

        The whole of it is read before its address is looked at, so that a fault speaks the
        client's dialect and a connection that is kept is in step.
        """
        # What is no path of ours is told once the dialect of the request is known.
        target = parse_target(environ["PATH_INFO"], self._site.registry.groups)
        heard.notified = target is not None and target.kind == "consumer"
        takes_messages = target is not None and target.kind in ("consumer", "pullpoint")
        limits = self._notified if takes_messages else self._limits
        body = read_body(environ, limit=limits.size)
        heard.root = parse(body, limits=limits, charset=charset_of(environ))
        envelope = heard.envelope = read_envelope(heard.root)
        action = str(environ.get("HTTP_SOAPACTION", ""))
        check_understood(envelope)
        if heard.notified:
            # A raw message is whatever its producer publishes.
            operation, dialect = heard.operation, heard.dialect = NOTIFY, fault_dialect(heard.root)
        else:
            operation, dialect = heard.operation, heard.dialect = dispatch(envelope, action)
        target = target or service_target(self._site, environ["PATH_INFO"])
        caller = caller_of(environ)
        return Request(envelope, operation, dialect, target, caller, leaving_of(environ))

    def _call(
        self, environ: Environ, start_response: StartResponse, request: Request, began: float
    ) -> Iterable[bytes]:
        """Hand the request to Spyne; it answers faults of operations too."""
        accepts = accepts_gzip(environ)
        environ = {**environ, ENVIRON_KEY: request}
        status = ""
        zipped = False

        def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status, zipped
            status = line
            size = environ.get(SIZE_KEY)
            zipped = accepts and (size or 0) >= self._site.settings.server.gzip_minimum
            if zipped:
                headers = [*headers, ("Content-Encoding", "gzip")]
            elif size is not None:
                headers = [*headers, ("Content-Length", str(size))]
            return start_response(line, [*headers, ("Vary", "Accept-Encoding")], *rest)

        pieces = self._soap[request.envelope.version.name](environ, start)
        seconds = time.perf_counter() - began
        metrics.observe_request(request, status, seconds)
        return compressed(pieces) if zipped else in_blocks(pieces)

    def _tell(
        self,
        environ: Environ,
        start_response: StartResponse,
        request: Request,
        began: float,
        answer: Answer,
    ) -> Iterable[bytes]:
        status = STATUS[answer.status]
        headers = [*answer.headers.items()]
        if answer.size:
            headers.insert(0, ("Content-Type", request.envelope.version.content_type))
        minimum = self._site.settings.server.gzip_minimum
        zipped = answer.status == 200 and answer.size >= minimum and accepts_gzip(environ)
        if zipped:
            headers.append(("Content-Encoding", "gzip"))
        else:
            headers.append(("Content-Length", str(answer.size)))
        start_response(status, [*headers, ("Vary", "Accept-Encoding")])
        metrics.observe_request(request, status, time.perf_counter() - began)
        return compressed(answer.pieces) if zipped else in_blocks(answer.pieces)

    def _refuse(
        self, error: Exception, heard: Heard, start_response: StartResponse, began: float
    ) -> Iterable[bytes]:
        """Answer a request that could not be read or dispatched."""
        refusal = refuse(error, heard, now=self._site.registry.store.clock.now())
        fault = refusal.fault
        # The dialects have no fault for it, and a BaseFault does not tell what to do.
        told = "RequestTooLarge" if isinstance(error, RequestTooLarge) else fault.name
        metrics.observe_refusal(told, time.perf_counter() - began)
        if heard.notified:
            metrics.observe_unread_notification(error)
        if isinstance(error, AggregatorException):
            log.info("refused: %s", error, extra={"outcome": type(error).__name__})
        else:
            log.error("bug in reading a request", exc_info=error)
        headers = http_headers(fault)
        return send(
            Document(fault.status, refusal.content_type, refusal.body, headers), start_response
        )


def _measurement(site: Site) -> MeasurementDoor | None:
    """The measurement archive, where there is one; the groups are served without it too."""
    if site.settings.measurement.metadata_db_type == "none":
        return None
    try:
        return MeasurementDoor(site.settings, site.registry.store)
    except (AggregatorException, ValueError) as error:
        # What it names was there when the settings were checked.
        log.error("the measurement archive is not served: %s", error)
        return None


def _is_about_reports(path: str) -> bool:
    return path == REPORTS or path.startswith(f"{REPORTS}/")
