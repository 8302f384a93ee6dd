"""The collector's HTTP client: bounded exchanges with members, without redirects."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Mapping

import pycurl

from aggregator.collect.curl_loop import CurlLoop
from aggregator.collect.networks import Networks
from aggregator.collect.transfer import Transfer, authorities
from aggregator.config.collection import CollectSettings
from aggregator.contract import HttpReply
from aggregator.errors import CollectError

#: Idle connections that are kept to members, as far as the limit of open files allows.
_MOST_IDLE = 16_384


class HttpClient:
    """Posts to members and fetches from them; made and used on one running loop.

    Connections are kept alive and capped per host. A failure is a CollectError with one of the
    codes ``address-refused``, ``connection``, ``timeout``, ``too-large`` and ``tls``.
    """

    def __init__(self, settings: CollectSettings) -> None:
        self._settings = settings
        self._networks = Networks(allow=settings.allow_networks, deny=settings.deny_networks)
        self._ca_file = authorities(settings)
        self._idle: list[Transfer] = []
        self._busy: dict[pycurl.Curl, tuple[Transfer, asyncio.Future[CollectError | None]]] = {}
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._curl_loop = CurlLoop(
            per_host=settings.connections_per_host,
            idle=max(64, min(_MOST_IDLE, files // 2)),
            on_end=self._on_end,
        )

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> HttpReply:
        """Send `body` and return the reply, whatever its status."""
        return await self._exchange(url, headers, body)

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> HttpReply:
        """Fetch `url` and return the reply, whatever its status."""
        return await self._exchange(url, headers or {}, None)

    def close(self) -> None:
        """Drop all connections; exchanges under way end as cancelled."""
        for transfer, done in list(self._busy.values()):
            done.cancel()
            self._put_back(transfer, reusable=False)
        for transfer in self._idle:
            transfer.curl.close()
        self._curl_loop.close()

    async def _exchange(
        self, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpReply:
        if not url.lower().startswith(("http://", "https://")):
            raise CollectError("only http and https addresses are asked", code="address-refused")
        transfer = self._idle.pop() if self._idle else self._new()
        transfer.prepare(url, headers, body)
        done: asyncio.Future[CollectError | None] = asyncio.get_running_loop().create_future()
        self._busy[transfer.curl] = transfer, done
        self._curl_loop.start(transfer.curl)
        try:
            failed = await done
            if failed is not None:
                raise failed
            return transfer.reply()
        finally:
            # A cancelled exchange has not ended: its handle is not fit for another.
            self._put_back(transfer, reusable=not done.cancelled())

    def _new(self) -> Transfer:
        return Transfer(self._settings, networks=self._networks, ca_file=self._ca_file)

    def _put_back(self, transfer: Transfer, *, reusable: bool) -> None:
        if self._busy.pop(transfer.curl, None) is None:
            return
        self._curl_loop.forget(transfer.curl)
        if reusable:
            self._idle.append(transfer)
        else:
            transfer.curl.close()

    def _on_end(self, curl: pycurl.Curl, number: int, said: str) -> None:
        transfer, done = self._busy[curl]
        if not done.done():
            done.set_result(transfer.failure(number, said) if number else None)
