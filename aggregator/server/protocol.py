"""Spyne's SOAP protocols, taught dispatch by body QName and bodies that are ready bytes.

Spyne keys its operations by one target namespace, so the body's QName (already resolved to an
operation by the WSGI layer) is handed on as the operation's name in ours; the body element goes
to the operation as it came, and the bytes that it returns go out as they are.
"""

from __future__ import annotations

from typing import Any

from aggregator.server import spyne_compat  # noqa: F401  (must come before Spyne)
from aggregator.server.answers import answer_with_fault, answer_with_reply
from aggregator.server.request import ENVIRON_KEY, SIZE_KEY, Request
from aggregator.wire.envelope import SOAP11, SOAP12
from aggregator.wire.faults import SoapFault

from spyne import Fault  # isort: skip
from spyne.protocol.soap import Soap11, Soap12  # isort: skip

#: The namespace under which Spyne knows the operations; it is seen by nobody else.
TARGET_NAMESPACE = "urn:mds-aggregator:operations"


class WsrfFault(Fault):  # type: ignore[misc]  # Spyne has no types
    """Carries a fault that is ready to send through Spyne's error path."""

    def __init__(self, fault: SoapFault) -> None:
        super().__init__("Client", fault.name)
        self.ready = fault


class _Wsrf:
    """What both SOAP versions share; mixed in before Spyne's protocol."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        """Take the envelope that the WSGI layer has read within its limits."""
        ctx.in_document = ctx.transport.req_env[ENVIRON_KEY]

    def decompose_incoming_envelope(self, ctx: Any, message: Any = None) -> None:
        """Name the operation and hand on header and body."""
        request: Request = ctx.in_document
        ctx.method_request_string = f"{{{TARGET_NAMESPACE}}}{request.operation.name}"
        ctx.in_header_doc = list(request.envelope.headers)
        ctx.in_body_doc = request.envelope.body

    def deserialize(self, ctx: Any, message: Any) -> None:
        """The operation's argument is the request itself."""
        ctx.in_object = ctx.in_document

    def serialize(self, ctx: Any, message: Any) -> None:
        """The operation's result is a Reply, an error carries its fault: nothing to convert."""
        ctx.out_document = ()

    def create_out_string(self, ctx: Any, out_string_encoding: str | None = None) -> None:
        """The pieces of the envelope."""
        request: Request = ctx.in_document
        if isinstance(ctx.out_error, WsrfFault):
            answer = answer_with_fault(request, ctx.out_error.ready)
        else:
            answer = answer_with_reply(request, ctx.out_object[0])
            # Without a length Spyne does not touch the pieces; the WSGI layer tells the size.
            ctx.transport.req_env[SIZE_KEY] = answer.size
        ctx.transport.resp_headers.update(answer.headers)
        ctx.out_string = answer.pieces

    def fault_to_http_response_code(self, fault: WsrfFault) -> str:
        """The HTTP status line of a fault."""
        status = fault.ready.status
        return {400: "400 Bad Request", 500: "500 Internal Server Error"}[status]


class WsrfSoap11(_Wsrf, Soap11):  # type: ignore[misc]
    """SOAP 1.1 for WSRF."""

    mime_type = SOAP11.content_type


class WsrfSoap12(_Wsrf, Soap12):  # type: ignore[misc]
    """SOAP 1.2 for WSRF."""

    mime_type = SOAP12.content_type
