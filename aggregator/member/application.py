"""What the member does with an HTTP request."""

from __future__ import annotations

from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from aggregator.errors import RequestTooLarge
from aggregator.member.http_message import Incoming, Outgoing
from aggregator.member.names import MANAGER_PATH
from aggregator.member.pages import Pages, is_service, is_subscription, text
from aggregator.member.requests import Request, read_request, refused_request
from aggregator.member.service import HostService, Reply


class MemberApplication:
    """SOAP requests to the service, pages for everything else."""

    def __init__(self, service: HostService, pages: Pages, *, max_body: int) -> None:
        self._service = service
        self._pages = pages
        self._max_body = max_body

    def __call__(self, incoming: Incoming) -> Outgoing | Coroutine[Any, Any, Outgoing]:
        """The answer, or what brings it."""
        head = incoming.head
        if head.method == "POST":
            if is_subscription(head.path):
                key = head.path.removeprefix(MANAGER_PATH).strip("/")
                return _outgoing(self._service.manage(self._request(incoming), key=key))
            if not is_service(head.path):
                return self._pages.nothing()
            answer = self._service.answer(self._request(incoming), client=incoming.client)
            return _outgoing(answer) if isinstance(answer, Reply) else _later(answer)
        if head.method in ("GET", "HEAD"):
            return self._pages.page(head)
        return text(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "Send SOAP by POST, or GET a page.",
            extra="Allow: GET, HEAD, POST\r\n",
        )

    def _request(self, incoming: Incoming) -> Request:
        headers = incoming.head.headers
        content_type = headers.get("content-type", "")
        action = headers.get("soapaction", "")
        if incoming.is_too_large:
            error = RequestTooLarge(f"the body is larger than {self._max_body} bytes, the limit")
            return refused_request(error, content_type=content_type, action=action)
        return read_request(
            incoming.body, content_type=content_type, action=action, max_body=self._max_body
        )


def _outgoing(reply: Reply) -> Outgoing:
    return Outgoing(reply.status, reply.content_type, reply.body)


async def _later(work: Coroutine[Any, Any, Reply]) -> Outgoing:
    return _outgoing(await work)
