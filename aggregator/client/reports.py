"""Reports as a client: a node reports, others ask and watch (docs/reports.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import requests
from urllib3.exceptions import HTTPError

from aggregator.client.deadline import deadline
from aggregator.client.event_stream import StreamEvent, events_of
from aggregator.client.security import TlsContext
from aggregator.client.transport import BareSession, no_reply, proxies_for
from aggregator.errors import RemoteError

_CONNECT_TIMEOUT = 10.0
#: Bytes of an answer, and of one event of a stream.
_LIMIT = 256 * 2**20
_PIECE = 64 * 1024
#: Seconds in which a stream says something, be it that there is nothing to say.
_SILENCE = 45.0
_FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered. `retry_after` is in seconds, 0 where it says nothing of it."""

    status: int
    content_type: str
    body: bytes
    retry_after: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return self.status // 100 == 2

    @property
    def reason(self) -> str:
        """Why it was not done, in a word; empty where the service says none."""
        return self._said("reason")

    @property
    def message(self) -> str:
        """Why it was not done, in the service's words."""
        return self._said("message") or f"HTTP status {self.status}"

    def _said(self, name: str) -> str:
        try:
            return str(json.loads(self.body)[name])[:1000]
        except (ValueError, KeyError, TypeError):
            return ""


class ReportClient:
    """Calls the service at `url`, which has no slash at its end; for one thread at a time.

    `secret` says who we are, empty where the certificate of `tls` does. `timeout` is for a call, in
    seconds. All methods raise RemoteError for whatever does not end in an answer.
    """

    def __init__(self, url: str, secret: str, tls: TlsContext, *, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._session = BareSession(tls)
        self._session.proxies = proxies_for(url)
        self._headers = {"User-Agent": "mds-aggregator"}
        if secret:
            self._headers["Authorization"] = f"Bearer {secret}"

    def report(self, node: str, type: str, id: str, *, content_type: str, data: bytes) -> Answer:
        """Send a report; it was taken, now or before, where the answer is good."""
        path = f"/reports/nodes/{quote(node)}/{quote(type)}/{quote(id)}"
        return self._call("POST", path, data=data, headers={"Content-Type": content_type})

    def hello(self, node: str) -> Answer:
        """Ask whether the node is heard."""
        return self._call("GET", f"/reports/nodes/{quote(node)}")

    def request(self, type: str, arguments: Mapping[str, str]) -> Answer:
        """Ask the aggregators; status 204 where they have nothing."""
        query = f"?{urlencode(arguments)}" if arguments else ""
        return self._call("GET", f"/reports/requests/{quote(type)}{query}")

    def status(self, what: str = "", *, after: str = "") -> Answer:
        """What is known of the aggregators, of ``nodes`` or of ``dead`` reports."""
        path = f"/reports/{what}" if what else "/reports"
        return self._call("GET", path + (f"?{urlencode({'after': after})}" if after else ""))

    def revive(self, number: int) -> Answer:
        """Have a dead report tried again."""
        return self._call("POST", f"/reports/dead/{number}", data=b"")

    def watch(
        self, types: Iterable[str], *, after: str, on_id: Callable[[str], None] = lambda id: None
    ) -> Iterator[StreamEvent]:
        """The updates after one, as they come, until the stream ends; empty for those from now on.

        `on_id` is told after which one the stream goes on, be it that nothing came.
        Raises RemoteError where it is refused, or breaks off.
        """
        query = urlencode([("type", one) for one in types])
        url = f"{self._url}/reports/updates{f'?{query}' if query else ''}"
        headers = {**self._headers, **({"Last-Event-ID": after} if after else {})}
        timeout = self._timeout
        try:
            with deadline(timeout):
                response = self._session.get(url, headers=headers, stream=True, timeout=timeout)
            with response:
                if response.status_code != 200:
                    with deadline(timeout):
                        raise RemoteError(_answer(response).message)
                timeout = _SILENCE
                yield from events_of(_pieces(response), limit=_LIMIT, on_id=on_id)
        except _FAILURES as error:
            raise no_reply(url, error, timeout=timeout) from error

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **given: Any
    ) -> Answer:
        url = f"{self._url}{path}"
        try:
            with deadline(self._timeout):
                response = self._session.request(
                    method,
                    url,
                    headers={**self._headers, **(headers or {})},
                    stream=True,
                    timeout=(min(_CONNECT_TIMEOUT, self._timeout), self._timeout),
                    **given,
                )
                with response:
                    return _answer(response)
        except _FAILURES as error:
            raise no_reply(url, error, timeout=self._timeout) from error


def _answer(response: requests.Response) -> Answer:
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        body += piece
        if len(body) > _LIMIT:
            raise ValueError(f"more than {_LIMIT} bytes came")
    after = response.headers.get("Retry-After", "")
    return Answer(
        response.status_code,
        response.headers.get("Content-Type", ""),
        bytes(body),
        float(after) if after.isascii() and after.isdecimal() and len(after) < 7 else 0.0,
    )


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """What comes, as it comes; each piece within the time for silence."""
    pieces = response.iter_content(None)
    while True:
        with deadline(_SILENCE):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
