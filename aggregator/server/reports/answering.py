"""What the door of reports says: documents of JSON, and why something is not done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aggregator.errors import (
    MalformedRequest,
    ReportRefused,
    RequestTooLarge,
    StoreUnavailable,
)
from aggregator.server.documents import Document

JSON = "application/json"
#: HTTP status by the reason of a ReportRefused.
_REFUSED = {"rate": 429, "full": 429, "nodes": 503, "pending": 503, "watchers": 503, "unknown": 404}


class Denied(Exception):
    """Raised where a request has no secret that is known (`who` is empty), or no right."""

    def __init__(self, message: str, *, who: str = "") -> None:
        super().__init__(message)
        self.who = who


def document(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Document:
    """A document of JSON."""
    content = json.dumps(value, indent=1).encode() + b"\n"
    return Document(status, JSON, content, {"Cache-Control": "no-store", **(headers or {})})


def refusal(error: Exception) -> Document | None:
    """What is answered for an error that may happen; None for a bug."""
    match error:
        case Denied():
            who = {} if error.who else {"WWW-Authenticate": "Bearer"}
            return _said(403 if error.who else 401, "denied", str(error), who)
        case ReportRefused():
            retry = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            return _said(_REFUSED.get(error.reason, 400), error.reason, error.message, retry)
        case MalformedRequest():
            is_large = isinstance(error, RequestTooLarge)
            return _said(413 if is_large else 400, "size" if is_large else "wrong", error.message)
        case StoreUnavailable():
            retry = {"Retry-After": str(error.retry_after)}
            return _said(503, "store", error.message, retry)
    return None


def _said(
    status: int, reason: str, message: str, headers: Mapping[str, str] | None = None
) -> Document:
    return document({"reason": reason, "message": message}, status=status, headers=headers)


def not_there(path: str) -> Document:
    """The answer for a path that nothing is at."""
    return _said(404, "unknown", f"nothing about reports is at {path[:200]!r}; see /reports")


def not_done(method: str, allowed: str) -> Document:
    """The answer for a method that is not one of this path."""
    return _said(405, "wrong", f"{method[:20]} is not done here", {"Allow": allowed})


def bug() -> Document:
    """The answer where something went wrong here."""
    return _said(500, "internal", "an internal error")
