"""The envelope around what an operation gave: its reply, or its fault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from aggregator.server.refusal import http_headers
from aggregator.server.request import Reply, Request
from aggregator.wire.envelope import ENVELOPE_TAIL, envelope_head, reply_headers
from aggregator.wire.faults import SoapFault


@dataclass(frozen=True, slots=True)
class Answer:
    """An envelope as pieces of `size` bytes together, with its HTTP status and headers."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterable[bytes]
    size: int


def answer_with_reply(request: Request, reply: Reply) -> Answer:
    """The answer that holds a reply; to a message that wants none, an empty one."""
    if request.operation.one_way:
        return Answer(202, reply.headers, (), 0)
    action = request.dialect.action(request.operation, reply=True)
    headers = reply_headers(request.envelope.addressing, action)
    head = envelope_head(request.envelope.version, headers=headers)
    size = len(head) + reply.size + len(ENVELOPE_TAIL)
    return Answer(200, reply.headers, chain((head,), reply.pieces, (ENVELOPE_TAIL,)), size)


def answer_with_fault(request: Request, fault: SoapFault) -> Answer:
    """The answer that holds a fault."""
    headers = reply_headers(request.envelope.addressing, fault.action) + fault.headers
    head = envelope_head(request.envelope.version, headers=headers)
    pieces = (head, fault.body, ENVELOPE_TAIL)
    return Answer(fault.status, http_headers(fault), pieces, sum(map(len, pieces)))
