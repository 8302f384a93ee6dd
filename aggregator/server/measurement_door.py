"""The door of the measurement archive: every answer is a message in HTTP 200, errors too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from aggregator.config import Settings
from aggregator.config.report_tokens import read_report_tokens
from aggregator.errors import NmwgError, RequestError
from aggregator.measurement import metrics
from aggregator.measurement.answering import Endpoint, transport_error
from aggregator.measurement.opening import endpoint_of, open_archive
from aggregator.measurement.output import error_message
from aggregator.measurement.pool import Full, Pool
from aggregator.server.body import charset_of, read_body
from aggregator.server.documents import Document
from aggregator.server.reports.access import Access
from aggregator.server.sending import StartResponse, send
from aggregator.store.engine import Store
from aggregator.waiting import AT_ONCE, Pending, waiting

log = logging.getLogger(__name__)

Environ = Mapping[str, Any]

_CONTENT_TYPE = "text/xml; charset=utf-8"
_NO_POST = "Received message with an invalid HTTP request, are you using a web browser?"
#: Messages that may wait for a thread, for each thread that answers.
_WAITING = 8
#: Seconds after its end that an answer is waited for: it tells itself that its time is up.
_GRACE = 2.0


class MeasurementDoor:
    """Answers at the endpoint of the measurement archive; a WSGI callable."""

    def __init__(self, settings: Settings, store: Store) -> None:
        given = settings.measurement
        self._path = given.endpoint
        self._folder = given.endpoint.rpartition("/")[0] + "/"
        self._limit = settings.server.max_body
        self._opened = open_archive(settings, store)
        self._endpoint: Endpoint = endpoint_of(settings, self._opened.archive)
        self._access = _access(given.tokens) if given.storage else None
        threads = given.max_worker_processes
        self._pool = Pool(threads=threads, waiting=threads * _WAITING)

    def takes(self, path: str) -> bool:
        """Whether a path is the endpoint's, or of a service beside it."""
        found = _collapsed(path)
        return found == self._path or (len(self._folder) > 1 and found.startswith(self._folder))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        tell = partial(_tell, start_response)
        path = _collapsed(environ["PATH_INFO"])
        if environ["REQUEST_METHOD"] != "POST":
            return tell(transport_error(_NO_POST))
        try:
            body = read_body(environ, limit=self._limit)
            charset = charset_of(environ)
        except RequestError as error:
            text = f"Error parsing request: {error}"
            return tell(error_message(NmwgError("error.transport.parse_error", text)))
        if path != self._path:
            # The words of the field.
            return tell(transport_error(f"Received message with has invalid endpoint: {path}"))
        began = time.monotonic()
        try:
            future = self._pool.submit(
                partial(
                    self._endpoint.answer,
                    body,
                    charset=charset,
                    began=began,
                    may_store=self._access is not None and self._access.who(environ) is not None,
                )
            )
        except Full:
            metrics.observe("", "full", 0.0)
            return tell(error_message(self._endpoint.timeout()))
        patience = self._endpoint.lifetime + _GRACE
        answer = partial(self._answer, future, tell)
        if not environ.get(AT_ONCE):
            with waiting(), suppress(Exception):
                future.exception(patience)
            return answer()
        return Pending(
            answer,
            when_done=lambda call: future.add_done_callback(lambda _: call()),
            patience=patience,
        )

    def _answer(
        self, future: Future[bytes], tell: Callable[[bytes], Iterable[bytes]]
    ) -> Iterable[bytes]:
        """What came, by now."""
        try:
            found = future.result(0)
        except TimeoutError:
            future.cancel()
            found = error_message(self._endpoint.timeout())
        return tell(found)


def _access(tokens: str) -> Access:
    """Who is in the file; nobody where it can't be read now, which was looked at before."""
    try:
        return Access(read_report_tokens(tokens))
    except ValueError as error:
        log.error("nobody may store measurements: %s", error)
        return Access(())


def _tell(start_response: StartResponse, body: bytes) -> Iterable[bytes]:
    return send(Document(200, _CONTENT_TYPE, body), start_response)


def _collapsed(path: str) -> str:
    """The path with its first double slash made one, as clients of the field may write it."""
    return path.replace("//", "/", 1)
