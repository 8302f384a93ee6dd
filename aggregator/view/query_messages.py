"""What web workers and the query evaluator say to each other over a Unix socket.

A request is one frame of JSON. A reply is one frame of JSON, and, where that announces a result,
the result's blocks of bytes, whose lengths it tells. A connection serves one request.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aggregator.errors import (
    AggregatorException,
    InvalidQuery,
    QueryFailed,
    ResourceUnknown,
    StoreUnavailable,
)

LENGTH = struct.Struct(">I")
#: Largest request: an expression with its namespaces, or a document that came with it.
LARGEST_REQUEST = 64 * 2**20
#: Errors that the evaluator may tell; any other is a QueryFailed to who asked.
_ERRORS: dict[str, Callable[[str], AggregatorException]] = {
    "InvalidQuery": InvalidQuery,
    "ResourceUnknown": ResourceUnknown,
    "StoreUnavailable": StoreUnavailable,
}


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """An XPath query on the property document of a group, or of its entry `entry_key`.

    `family` names the dialect of the document (``gt4`` or ``oasis``), `sequence` the change of the
    group that the answer must know, `caller` whose turn it takes.
    """

    group: str
    entry_key: str | None
    family: str
    expression: str
    namespaces: Mapping[str, str]
    sequence: int
    caller: str
    #: Evaluated on each of these instead, see `aggregator.view.each`.
    documents: Sequence[tuple[Mapping[str, str], str]] = ()


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What an expression gave: plain UTF-8 text where `is_text`, else ready XML content."""

    chunks: list[bytes]
    is_text: bool


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """The first frame of a reply: the lengths of the blocks that follow, or an error.

    ``limit`` is that of a QueryFailed.
    """

    is_text: bool = False
    blocks: Sequence[int] = ()
    error: str = ""
    message: str = ""
    limit: str = ""

    def check(self) -> None:
        """Raise the error that the reply tells."""
        if self.error in _ERRORS:
            raise _ERRORS[self.error](self.message)
        if self.error:
            raise QueryFailed(self.message, limit=self.limit)


def error_head(error: AggregatorException) -> ReplyHead:
    """The reply that tells an error."""
    known = next((c.__name__ for c in type(error).__mro__ if c.__name__ in _ERRORS), "QueryFailed")
    limit = error.limit if isinstance(error, QueryFailed) else ""
    return ReplyHead(error=known, message=str(getattr(error, "message", "") or error), limit=limit)


def frame(value: QueryRequest | ReplyHead) -> bytes:
    """The bytes of a frame, its length before it."""
    # Documents hold whatever characters there are, which an escape would make three times as long.
    text = json.dumps(asdict(value), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return LENGTH.pack(len(text)) + text


def read_request(text: bytes) -> QueryRequest:
    """The request in a frame without its length."""
    fields = _fields(text)
    return QueryRequest(**{**fields, "documents": tuple(map(tuple, fields["documents"]))})


def read_head(text: bytes) -> ReplyHead:
    """The head of a reply in a frame without its length."""
    return ReplyHead(**_fields(text))


def _fields(text: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
