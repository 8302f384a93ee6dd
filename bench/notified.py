"""Members that notify and consumers that are notified, on one event loop of this process."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tests import soap
from tests.notified import NT, TOPICS

_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_CONSUMER = re.compile(rb"ConsumerReference[ >].*?Address[^>]*>([^<]+)<", re.S)
_NT = NT["oasis"]


class Served(asyncio.Protocol):
    """A connection whose POSTs are answered by a function of path and body."""

    def __init__(self, answer: Callable[[str, bytes], bytes]) -> None:
        self._answer = answer
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._data[:end])
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self._data) < end + 4 + length:
                return
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            assert self._transport is not None
            self._transport.write(self._answer(head.split(b" ", 2)[1].decode(), body))


@dataclass
class Notified:
    """`url` leads to as many members and consumers as there are paths below it.

    ``came`` holds what came to consumers: the instant, the path, the body; ``consumers`` the
    addresses that members were given to notify, by the member's path.
    """

    url: str = ""
    came: list[tuple[float, str, bytes]] = field(default_factory=list)
    consumers: dict[str, str] = field(default_factory=dict)

    def answer(self, path: str, body: bytes) -> bytes:
        """The answer to a POST."""
        if path.startswith("/consumer"):
            self.came.append((time.perf_counter(), path, body))
            return _ACCEPTED
        found = _CONSUMER.search(body)
        if found is None:
            content = soap.envelope(f'<n:RenewResponse xmlns:n="{_NT}"/>')
        else:
            self.consumers[path] = found[1].decode()
            content = soap.envelope(
                f'<n:SubscribeResponse xmlns:n="{_NT}"><n:SubscriptionReference>'
                f'<a:Address xmlns:a="http://www.w3.org/2005/08/addressing">{self.url}{path}/s'
                "</a:Address></n:SubscriptionReference></n:SubscribeResponse>"
            )
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content


@contextlib.asynccontextmanager
async def notified() -> AsyncIterator[Notified]:
    """Members and consumers that are there as long as the block."""
    made = Notified()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Served(made.answer), "127.0.0.1", 0, backlog=1000)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


def change(value: str, *, size: int = 0) -> bytes:
    """The Notify that the property t:Load has a value, of so many bytes more."""
    rp = soap.NS["oasis"]["rp"]
    return soap.envelope(
        f'<n:Notify xmlns:n="{_NT}"><n:NotificationMessage>'
        f'<n:Topic Dialect="{TOPICS["oasis"]}Simple" xmlns:t="urn:t">t:Load</n:Topic><n:Message>'
        f'<rp:ResourcePropertyValueChangeNotification xmlns:rp="{rp}"><rp:NewValues>'
        f'<t:Load xmlns:t="urn:t" mark="{value}">{"x" * size}</t:Load></rp:NewValues>'
        "</rp:ResourcePropertyValueChangeNotification></n:Message></n:NotificationMessage></n:Notify>"
    )
