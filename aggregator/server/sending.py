"""How answers go to the client: status lines, whole documents, what has to be waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from aggregator.server.documents import Document
from aggregator.store.writing import Begun
from aggregator.waiting import Pending

StartResponse = Callable[..., Any]
T = TypeVar("T")

STATUS = {
    200: "200 OK",
    201: "201 Created",
    202: "202 Accepted",
    204: "204 No Content",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    413: "413 Content Too Large",
    429: "429 Too Many Requests",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
    504: "504 Gateway Timeout",
}


def told(found: T | Begun[T], tell: Callable[[T], Iterable[bytes]]) -> Iterable[bytes]:
    """The answer, or what to wait for before it is there or goes on."""
    if not isinstance(found, Begun):
        return tell(found)
    return Pending(
        lambda: told(found.finish(), tell), when_done=found.when_done, patience=found.patience
    )


def send(
    document: Document, start_response: StartResponse, *, head: bool = False
) -> Iterable[bytes]:
    """The body of a document, whose status and headers are told."""
    if document.status == 204:
        # It has no content, nor a length of it (RFC 9110, section 8.6).
        start_response(STATUS[204], [*document.headers.items()])
        return []
    headers = [
        ("Content-Type", document.content_type),
        ("Content-Length", str(len(document.body))),
        ("X-Content-Type-Options", "nosniff"),
        *document.headers.items(),
    ]
    start_response(STATUS[document.status], headers)
    return [] if head else [document.body]
