"""One HTTP exchange in libcurl's hands: its options, its bounded body, how its end is read."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import pycurl

from aggregator.collect.networks import Networks
from aggregator.config.collection import CollectSettings
from aggregator.contract import HttpReply
from aggregator.errors import CollectError

_REFUSED: int = pycurl.SOCKET_BAD
#: Too large a file; too large headers, a number that pycurl does not name.
_TOO_LARGE = (pycurl.E_FILESIZE_EXCEEDED, 100)
#: What libcurl's error numbers mean to us: the code of the CollectError and words for clients.
#: Its own words may hold paths and inner addresses and therefore go to the log alone.
_FAILURES = {
    pycurl.E_COULDNT_RESOLVE_HOST: ("connection", "the host name of the member does not resolve"),
    pycurl.E_COULDNT_CONNECT: ("connection", "no connection to the member"),
    pycurl.E_GOT_NOTHING: ("connection", "the member closed the connection without an answer"),
    pycurl.E_PARTIAL_FILE: ("connection", "the member's answer broke off"),
    pycurl.E_RECV_ERROR: ("connection", "the connection to the member broke"),
    pycurl.E_SEND_ERROR: ("connection", "the connection to the member broke"),
    pycurl.E_UNSUPPORTED_PROTOCOL: ("connection", "the member did not answer with HTTP"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: ("connection", "the member did not answer with HTTP"),
    pycurl.E_BAD_CONTENT_ENCODING: ("connection", "the member's answer can't be decompressed"),
    pycurl.E_URL_MALFORMAT: ("address-refused", "the member's address is no URL"),
    pycurl.E_SSL_CONNECT_ERROR: ("tls", "the TLS handshake with the member failed"),
    pycurl.E_PEER_FAILED_VERIFICATION: ("tls", "the member's certificate is not trusted"),
    pycurl.E_SSL_CACERT_BADFILE: ("tls", "the file of trusted authorities can't be read"),
    pycurl.E_SSL_CIPHER: ("tls", "the TLS handshake with the member failed"),
}


class _Lent:
    """A socket for pycurl, which takes a duplicate of its number and lets go of this one."""

    __slots__ = ("_number",)

    def __init__(self, lent: socket.socket) -> None:
        self._number = lent.detach()

    def fileno(self) -> int:
        return self._number

    def __del__(self) -> None:
        os.close(self._number)


class Transfer:
    """A libcurl handle that is used for one exchange after the other."""

    def __init__(self, settings: CollectSettings, *, networks: Networks, ca_file: str) -> None:
        self.curl = pycurl.Curl()
        self._networks = networks
        self._limit = settings.max_response
        self._timeout = settings.timeout
        self._headers: Mapping[str, str] | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._refused = ""
        self._set_fixed(settings, ca_file)

    def _set_fixed(self, settings: CollectSettings, ca_file: str) -> None:
        curl = self.curl
        options: dict[int, Any] = {
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.FOLLOWLOCATION: 0,
            # A proxy from the environment would make the check of addresses meaningless.
            pycurl.PROXY: "",
            pycurl.NOPROXY: "*",
            pycurl.OPENSOCKETFUNCTION: self._open_socket,
            pycurl.WRITEFUNCTION: self._take,
            # At the end of each exchange libcurl goes through all names that it remembers. A
            # connection that stays open needs none of them, and for others the system remembers.
            pycurl.DNS_CACHE_TIMEOUT: 0,
            pycurl.ACCEPT_ENCODING: "gzip, deflate",
            pycurl.USERAGENT: settings.user_agent,
            pycurl.TIMEOUT_MS: int(settings.timeout * 1000),
            pycurl.CONNECTTIMEOUT_MS: int(settings.connect_timeout * 1000),
            pycurl.MAXFILESIZE_LARGE: settings.max_response,
            pycurl.SSL_VERIFYPEER: int(settings.verify),
            pycurl.SSL_VERIFYHOST: 2 if settings.verify else 0,
        }
        for option, value in options.items():
            curl.setopt(option, value)
        if ca_file:
            curl.setopt(pycurl.CAINFO, ca_file)

    def prepare(self, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
        """Set up the next exchange: a POST of `body`, or a GET where it is None."""
        self._pieces, self._size, self._refused = [], 0, ""
        curl = self.curl
        curl.setopt(pycurl.URL, url.encode())
        if headers != self._headers:
            # libcurl would wait for a "100 Continue" before a larger body; many send none.
            lines = ["Expect:", *(f"{name}: {value}" for name, value in headers.items())]
            curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in lines])
            self._headers = dict(headers)
        if body is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, body)

    def _open_socket(self, purpose: int, address: Any) -> _Lent | int:
        """Open the socket for an address that was resolved, unless its network is refused.

        What is judged is what is connected to, so that a name can't lead elsewhere later.
        """
        family, kind, protocol, target = address
        if family not in (socket.AF_INET, socket.AF_INET6) or not self._networks.permits(target[0]):
            self._refused = str(target[0] if isinstance(target, tuple) else family)
            return _REFUSED
        return _Lent(socket.socket(family, kind, protocol))

    def _take(self, piece: bytes) -> int | None:
        """Keep a piece of the body, decompressed; any return but None ends the exchange."""
        self._size += len(piece)
        if self._size > self._limit:
            return 0
        self._pieces.append(piece)
        return None

    def reply(self) -> HttpReply:
        """The reply of an exchange that ended well."""
        curl = self.curl
        return HttpReply(
            status=curl.getinfo(pycurl.RESPONSE_CODE),
            content_type=curl.getinfo(pycurl.CONTENT_TYPE) or "",
            body=b"".join(self._pieces),
        )

    def failure(self, number: int, said: str) -> CollectError:
        """The error of an exchange that libcurl ended with `number`, saying `said`."""
        detail = f"libcurl {number}: {said}"
        if self._size > self._limit or number in _TOO_LARGE:
            text = f"the member's answer is larger than {self._limit} bytes"
            return CollectError(text, code="too-large", detail=detail)
        if self._refused and number == pycurl.E_COULDNT_CONNECT:
            text = "the member's address lies in a network that is not collected from"
            return CollectError(text, code="address-refused", detail=f"{self._refused}; {detail}")
        if number == pycurl.E_OPERATION_TIMEDOUT:
            text = f"no complete answer within {self._timeout:g} s"
            if not self.curl.getinfo(pycurl.PRETRANSFER_TIME):
                text = "no connection to the member in time"
            return CollectError(text, code="timeout", detail=detail)
        code, text = _FAILURES.get(number, ("connection", "the exchange with the member failed"))
        return CollectError(text, code=code, detail=detail)


def authorities(settings: CollectSettings) -> str:
    """The file of authorities: the configured one, else the system's, else libcurl's own."""
    return settings.ca_file or ssl.get_default_verify_paths().cafile or ""
