"""A REQUEST of a client: put into the store, waited for without a thread, answered from there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from urllib.parse import parse_qsl

from aggregator.config.reports import ReportsSettings
from aggregator.errors import MalformedRequest, ReportRefused, StoreUnavailable
from aggregator.reports import metrics
from aggregator.reports.names import CONTENT_TYPES
from aggregator.server.documents import Document
from aggregator.server.reports.answering import document
from aggregator.store.engine import Store
from aggregator.store.report_requests import (
    RequestAnswer,
    answered_requests,
    open_request,
    take_answer,
)
from aggregator.store.write import Write
from aggregator.store.writing import Awaited, Writing
from aggregator.waiting import ENDING

log = logging.getLogger(__name__)

#: Seconds between two looks for answers; and until the store is asked again that was away.
_LOOK, _PAUSE = 0.025, 1.0
#: Seconds past the time of a REQUEST after which nobody waits for its answer any more.
_MARGIN = 1.0
_ARGUMENTS, _LONGEST = 100, 64 * 1024
_SECOND = 1_000_000
#: HTTP status by what became of a REQUEST; the others are troubles of the aggregator.
_STATUS = {"arguments": 400, "unknown": 404, "hung": 504, "": 504}


def read_arguments(query: str) -> Mapping[str, str]:
    """The arguments of a REQUEST; raises MalformedRequest for too many, or one given twice."""
    if len(query) > _LONGEST:
        raise MalformedRequest(f"arguments of {len(query)} bytes; at most {_LONGEST} are read")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_ARGUMENTS, errors="strict")
    except ValueError as error:
        raise MalformedRequest(f"the arguments can't be read: {error}") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedRequest("an argument is there twice")
    return found


def ask(
    settings: ReportsSettings, waits: AnswerWaits, type: str, arguments: Mapping[str, str]
) -> Writing[Document]:
    """The answer to a REQUEST as the aggregator gives it; 204 where there is none."""
    until = time.monotonic() + settings.request_timeout + _MARGIN

    def unit(write: Write) -> int:
        deadline = write.now + round(settings.request_timeout * _SECOND)
        return open_request(write, type, arguments, deadline=deadline, most=settings.max_requests)

    try:
        number: int = yield unit
    except ReportRefused as error:
        metrics.REQUESTS.labels(error.reason).inc()
        raise
    # There may be an answer where that was not seen in time.
    with suppress(TimeoutError):
        yield waits.wait(number, until)
    answer: RequestAnswer = yield partial(take_answer, number=number)
    metrics.REQUESTS.labels(answer.outcome or "late").inc()
    return _document(answer, settings)


def _document(answer: RequestAnswer, settings: ReportsSettings) -> Document:
    if answer.outcome == "none":
        return Document(204, "", b"", {"Cache-Control": "no-store"})
    if answer.outcome == "answered":
        content_type = CONTENT_TYPES.get(answer.kind, CONTENT_TYPES["bytes"])
        return Document(200, content_type, answer.data, {"Cache-Control": "no-store"})
    reason = answer.outcome or "late"
    message = answer.data.decode(errors="replace")
    if not answer.outcome:
        message = f"no collector answered within {settings.request_timeout:g} s"
    status = _STATUS.get(answer.outcome, 502)
    return document({"reason": reason, "message": message}, status=status)


class AnswerWaits:
    """Who waits for the answer to a REQUEST; its thread runs while somebody does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[Future[None], float]] = {}
        self._runs = False

    def wait(self, number: int, until: float) -> Awaited:
        """What is done once there is an answer, or at the monotonic instant `until`."""
        future: Future[None] = Future()
        with self._lock:
            self._waiting[number] = future, until
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="answer waits", daemon=True).start()
        return Awaited(future, max(0.0, until - time.monotonic()) + _MARGIN)

    def _run(self) -> None:
        while self._is_needed():
            found: set[int] = set()
            pause = _LOOK
            try:
                found = self._look()
            except StoreUnavailable as error:
                log.info("who waits for answers waits for the store too: %s", error)
                pause = _PAUSE
            except Exception:
                log.exception("bug in waiting for answers")
                pause = _PAUSE
            self._tell(found)
            time.sleep(pause)

    def _is_needed(self) -> bool:
        with self._lock:
            self._runs = bool(self._waiting)
            return self._runs

    def _look(self) -> set[int]:
        with self._lock:
            numbers = list(self._waiting)
        return self._store.query(lambda connection: answered_requests(connection, numbers))

    def _tell(self, found: set[int]) -> None:
        now = time.monotonic()
        with self._lock:
            done = [
                number
                for number, (_, until) in self._waiting.items()
                if number in found or until <= now or ENDING.is_set()
            ]
            futures = [self._waiting.pop(number)[0] for number in done]
        for future in futures:
            future.set_result(None)
