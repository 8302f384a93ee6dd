"""The door of reports: routes by path, knows who asks, answers every error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from aggregator.config import Settings
from aggregator.config.report_tokens import ReportRights, read_report_tokens
from aggregator.errors import MalformedRequest
from aggregator.reports import metrics
from aggregator.reports.names import TYPE
from aggregator.server.callers import leaving_of
from aggregator.server.documents import Document
from aggregator.server.reports import asking, status, taking
from aggregator.server.reports.access import Access, allows
from aggregator.server.reports.answering import (
    Denied,
    bug,
    not_done,
    not_there,
    refusal,
)
from aggregator.server.reports.updates import Updates
from aggregator.server.reports.watching import HEADERS, Stream
from aggregator.server.sending import StartResponse, send, told
from aggregator.store.engine import Store
from aggregator.store.writing import Writing, begin, write_now
from aggregator.waiting import AT_ONCE, Later, WouldWait

log = logging.getLogger(__name__)

PATH = "/reports"
Environ = Mapping[str, Any]


class ReportDoor:
    """Answers what lies below ``/reports``; a WSGI callable."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._access = _access(settings.reports.tokens)
        self._waits = asking.AnswerWaits(store)
        self._updates = Updates(store, most=settings.reports.max_watchers)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"].rstrip("/") == f"{PATH}/updates":
            watch = partial(self._watch, environ, start_response)
            return Later(watch) if environ.get(AT_ONCE) else watch()
        tell: Callable[[Document], Iterable[bytes]] = partial(send, start_response=start_response)
        writer = self._store.writer
        if environ.get(AT_ONCE):
            try:
                return told(begin(writer, self._steps(environ)), tell)
            except WouldWait:
                # Nothing was read of it so far but its header.
                return Later(lambda: tell(write_now(writer, self._steps(environ))))
        return tell(write_now(writer, self._steps(environ)))

    def _steps(self, environ: Environ) -> Writing[Document]:
        try:
            return (yield from self._done(environ))
        except Exception as error:
            return _refused(error, environ)

    def _done(self, environ: Environ) -> Writing[Document]:
        """The answer, by the path."""
        rights = self._rights(environ)
        first, *rest = environ["PATH_INFO"].removeprefix(PATH).removeprefix("/").split("/")
        if first == "nodes" and len(rest) in (1, 3):
            return (yield from self._of_node(environ, rights, rest))
        if first == "requests" and len(rest) == 1:
            return (yield from self._asked(environ, rights, rest[0]))
        if not rights.status:
            raise Denied(f"{rights.name} may not see the status of reports", who=rights.name)
        if first == "dead" and len(rest) == 1:
            return (yield from self._revived(environ, rest[0]))
        return self._status(environ, "/".join([first, *rest]))

    def _revived(self, environ: Environ, number: str) -> Writing[Document]:
        method = environ["REQUEST_METHOD"]
        return not_done(method, "POST") if method != "POST" else (yield from status.revive(number))

    def _status(self, environ: Environ, path: str) -> Document:
        pages: Mapping[str, Callable[[Store, str], Document]] = {
            "": status.overview,
            "nodes": status.nodes,
            "dead": status.dead,
        }
        if path not in pages:
            return not_there(environ["PATH_INFO"])
        if environ["REQUEST_METHOD"] != "GET":
            return not_done(environ["REQUEST_METHOD"], "GET")
        return pages[path](self._store, environ.get("QUERY_STRING", ""))

    def _of_node(
        self, environ: Environ, rights: ReportRights, parts: list[str]
    ) -> Writing[Document]:
        """A report of a node; or 204, by which one that has none knows that it is heard."""
        node, method = parts[0], environ["REQUEST_METHOD"]
        if not allows(rights.nodes, node):
            raise Denied(f"{rights.name} may not report as {node[:60]!r}", who=rights.name)
        if len(parts) == 1:
            return Document(204, "", b"") if method == "GET" else not_done(method, "GET")
        if method != "POST":
            return not_done(method, "POST")
        _, type, id = parts
        report = taking.read_report(self._settings, environ, node=node, type=type, id=id)
        return (yield from taking.take(self._settings, report))

    def _asked(self, environ: Environ, rights: ReportRights, type: str) -> Writing[Document]:
        if environ["REQUEST_METHOD"] != "GET":
            return not_done(environ["REQUEST_METHOD"], "GET")
        if not TYPE.fullmatch(type):
            raise MalformedRequest(f"{type[:60]!r} is no type of a REQUEST")
        if not allows(rights.requests, type):
            raise Denied(f"{rights.name} may not ask for {type}", who=rights.name)
        arguments = asking.read_arguments(environ.get("QUERY_STRING", ""))
        return (yield from asking.ask(self._settings.reports, self._waits, type, arguments))

    def _watch(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            stream = self._stream(environ)
        except Exception as error:
            return send(_refused(error, environ), start_response)
        start_response("200 OK", [*HEADERS.items()])
        return stream

    def _stream(self, environ: Environ) -> Stream:
        rights = self._rights(environ)
        if environ["REQUEST_METHOD"] != "GET":
            raise MalformedRequest("updates are watched by GET")
        if not rights.updates:
            raise Denied(f"{rights.name} may not watch updates", who=rights.name)
        asked = parse_qs(environ.get("QUERY_STRING", ""), max_num_fields=100)
        given = str(environ.get("HTTP_LAST_EVENT_ID") or "") or asked.get("after", [""])[-1]
        if given and not (given.isascii() and given.isdecimal() and len(given) < 19):
            raise MalformedRequest(f"{given[:40]!r} is no id of an update")
        return Stream(
            self._updates,
            rights,
            asked.get("type", []),
            after=int(given) if given else None,
            has_left=leaving_of(environ),
        )

    def _rights(self, environ: Environ) -> ReportRights:
        found = self._access.who(environ)
        if found is None:
            raise Denied(
                "say who you are: Authorization: Bearer SECRET with one of those in the file that"
                " reports.tokens names, or a client certificate that is there"
            )
        return found


def _access(tokens: str) -> Access:
    """Who is in the file; nobody where it can't be read now, which was looked at before."""
    try:
        return Access(read_report_tokens(tokens))
    except ValueError as error:
        log.error("nobody may report: %s", error)
        return Access(())


def _refused(error: Exception, environ: Environ) -> Document:
    found = refusal(error)
    if found is None:
        log.error("bug in %s", environ["PATH_INFO"], exc_info=error)
        return bug()
    if isinstance(error, Denied):
        metrics.DENIED.inc()
        log.info("reports: %s", error, extra={"caller": str(environ.get("REMOTE_ADDR") or "")})
    return found
