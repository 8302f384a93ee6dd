"""What the shared options of the client commands mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from aggregator.client.epr_file import load_epr
from aggregator.client.security import Authorization, find_credentials
from aggregator.client.soap import REPLY_LIMITS, CallSettings, SoapClient
from aggregator.client.transport import EXAMPLE_ADDRESS, is_address
from aggregator.errors import ConfigError
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import Limits

_CLARK = re.compile(r"\{([^{}]*)\}([^\W\d][\w.\-]*)")


@dataclass(frozen=True, slots=True)
class Toolkit:
    """What the shared options say; see their help."""

    service: str
    epr_file: str
    keys: tuple[tuple[str, str], ...]
    anonymous: bool
    authorization: Authorization
    message_security: str
    protection: str
    timeout: float
    debug: bool
    cert: str
    tls_key: str
    ca: str

    def endpoint(self) -> EndpointReference:
        """The resource that -e or -s names, with the keys of -k; ConfigError where neither does."""
        if self.epr_file and self.service:
            raise ConfigError("-s and -e both name a service: give one of them")
        if not (self.epr_file or self.service):
            raise ConfigError("no service is named: give its URL with -s, or an EPR file with -e")
        if self.service:
            check_address(self.service)
            return EndpointReference(self.service, properties=self._references())
        epr = load_epr(self.epr_file)
        return EndpointReference(
            epr.address, epr.properties + self._references(), epr.parameters, epr.others, epr.wsa
        )

    def written(self) -> EndpointReference | None:
        """The EPR whose WS-Addressing version tells the dialect: that of -e, not a bare URL."""
        return self.endpoint() if self.epr_file else None

    def client(self, *, certificate_needed: str = "", limits: Limits = REPLY_LIMITS) -> SoapClient:
        """A client with our certificate, or without one where -a is given or none is named.

        `certificate_needed` is the message of the ConfigError where there must be one; `limits`
        are those of a reply.
        """
        return SoapClient(self.call_settings(certificate_needed=certificate_needed, limits=limits))

    def call_settings(self, *, certificate_needed: str = "", limits: Limits) -> CallSettings:
        """How such a client makes its calls."""
        credentials = None
        if not self.anonymous:
            credentials = find_credentials(cert=self.cert, key=self.tls_key)
            if credentials is None and certificate_needed:
                raise ConfigError(certificate_needed)
        return CallSettings(
            timeout=self.timeout,
            limits=limits,
            credentials=credentials,
            ca=self.ca,
            authorization=self.authorization,
        )

    def check_protection(self, addresses: Iterable[str]) -> None:
        """Refuse -m and -p for addresses that are not protected by TLS, which stands for both."""
        asked = [
            name
            for name, value in (("-m", self.message_security), ("-p", self.protection))
            if value
        ]
        if not asked:
            return
        for address in addresses:
            if urlsplit(address).scheme != "https":
                raise ConfigError(
                    f"{' and '.join(asked)} ask for protected messages, but {address} is not "
                    "https; GSI message security is not spoken here, TLS protects and signs "
                    "whole connections: use an https address"
                )

    def _references(self) -> tuple[bytes, ...]:
        return tuple(_reference(name, value) for name, value in self.keys)


def _reference(name: str, value: str) -> bytes:
    found = _CLARK.fullmatch(name)
    if found is None:
        raise ConfigError(f'-k {name!r} is no name like "{{http://example.org/ns}}Key"')
    return f"<k:{found[2]} xmlns:k={quoteattr(found[1])}>{escape(value)}</k:{found[2]}>".encode()


def check_clark(name: str) -> str:
    """The name, if it is a Clark name; ConfigError otherwise."""
    if _CLARK.fullmatch(name) is None:
        raise ConfigError(f'{name!r} is no name like "{{http://example.org/ns}}Local"')
    return name


def check_address(url: str) -> str:
    """The URL, if a service can be called there; ConfigError otherwise."""
    if not is_address(url):
        raise ConfigError(f"{url!r} is no URL like {EXAMPLE_ADDRESS}")
    return url
