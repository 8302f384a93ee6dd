"""zeep's transport with bounds: one deadline, a limit of bytes, no redirects, no cookies."""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError
from zeep.transports import Transport

from aggregator.client.deadline import TimedAdapter, deadline
from aggregator.client.security import TlsContext
from aggregator.errors import RemoteError

#: What an address looks like, for messages.
EXAMPLE_ADDRESS = "http://host:8080/wsrf/services/NAME"
_PIECE = 64 * 1024
_REASON_DEPTH = 8
#: What OpenSSL says of a server that answers a handshake with plain text.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP, whatever its status; `location` is where a redirect points."""

    status: int
    content_type: str
    body: bytes
    location: str = ""


class BareSession(requests.Session):
    """A session that follows nothing and remembers nothing."""

    def __init__(self, tls: TlsContext) -> None:
        super().__init__()
        # Neither .netrc nor REQUESTS_CA_BUNDLE may change what is sent and whom we trust.
        self.trust_env = False
        self.stream = True
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("http://", TimedAdapter(tls))
        self.mount("https://", TimedAdapter(tls))

    def get_redirect_target(self, resp: Any) -> str | None:
        """No redirect is followed: the message was meant for the address that was given."""
        return None


class BoundedTransport(Transport):
    """How messages travel. Not for use by several threads at once.

    `connect_timeout` is in seconds, `limit` in bytes of a reply after decompression.
    """

    def __init__(self, tls: TlsContext, *, connect_timeout: float, limit: int) -> None:
        super().__init__(session=BareSession(tls))  # type: ignore[no-untyped-call]
        self._connect_timeout = connect_timeout
        self._limit = limit

    def exchange(
        self, url: str, message: bytes, *, headers: dict[str, str], timeout: float
    ) -> Reply:
        """Post `message` and return the reply, all within `timeout` seconds.

        Raises RemoteError, saying what failed, for whatever does not end in a reply.
        """
        if not is_address(url):
            raise RemoteError(f"{url[:200]!r} is no address like {EXAMPLE_ADDRESS}")
        self.operation_timeout = (min(self._connect_timeout, timeout), timeout)
        self.session.proxies = proxies_for(url)
        try:
            with deadline(timeout):
                response = self.post(url, message, headers)  # type: ignore[no-untyped-call]
                return self._read(url, response)
        except requests.ConnectTimeout as error:
            waited = self.operation_timeout[0]
            raise RemoteError(f"{url} took no connection within {waited:g} s") from error
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise no_reply(url, error, timeout=timeout) from error

    def _read(self, url: str, response: requests.Response) -> Reply:
        with response:
            body = bytearray()
            for piece in response.iter_content(_PIECE):
                body += piece
                if len(body) > self._limit:
                    raise RemoteError(
                        f"{url} answered with more than {self._limit} bytes, which is the limit"
                    )
            return Reply(
                response.status_code,
                response.headers.get("Content-Type", ""),
                bytes(body),
                response.headers.get("Location", ""),
            )


def no_reply(url: str, error: Exception, *, timeout: float) -> RemoteError:
    """Our error for one of the libraries."""
    if _is_timeout(error):
        return RemoteError(f"{url} did not answer within {timeout:g} s")
    return RemoteError(f"{url} gave no reply: {_reason(error)}")


def is_address(url: str) -> bool:
    """Whether a service can be called at `url`: http or https, and a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@functools.lru_cache(maxsize=4096)
def proxies_for(url: str) -> dict[str, str]:
    """The proxies that the environment names for an address."""
    return dict(get_environ_proxies(url, no_proxy=None))


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was wrapped around, outermost first."""
    found: list[BaseException] = []
    inner: Any = error
    while isinstance(inner, BaseException) and len(found) < _REASON_DEPTH:
        found.append(inner)
        wrapped = [inner.__cause__, getattr(inner, "reason", None), *inner.args]
        inner = next((one for one in wrapped if isinstance(one, BaseException)), inner.__context__)
    return found


def _is_timeout(error: BaseException) -> bool:
    return any(isinstance(one, TimeoutError | requests.Timeout) for one in _causes(error))


def _reason(error: BaseException) -> str:
    """The innermost reason, in words."""
    for one in reversed(_causes(error)):
        if isinstance(one, ssl.SSLError) and getattr(one, "reason", "") in _NO_TLS:
            return (
                "the server speaks plain http on this port, or at least no TLS; write http:// in "
                "its address"
            )
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    return " ".join(str(_causes(error)[-1]).split())[:300] or type(error).__name__
