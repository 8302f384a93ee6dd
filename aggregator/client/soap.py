"""SOAP calls: an envelope of our own wire room, sent by zeep's transport, one a thread."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass

from aggregator.client.call_log import logged_call
from aggregator.client.replies import read_reply
from aggregator.client.security import Authorization, Credentials, tls_context
from aggregator.client.transport import BoundedTransport
from aggregator.errors import RemoteError
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect, Operation
from aggregator.wire.envelope import SOAP11, addressing_headers, write_envelope
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import Element, Limits, parse, serialise

#: What one reply may be; a whole index is a large document.
REPLY_LIMITS = Limits(size=256 * 1024 * 1024, depth=256, nodes=20_000_000, namespaces=512)

_USER_AGENT = "mds-aggregator"
# The draft's EPR of "whoever sent this"; its clients name themselves so, and some services ask.
_ANONYMOUS = (
    f'<wsa:From xmlns:wsa="{ns.WSA_2004_03}"><wsa:Address>{ns.WSA_2004_03}/role/anonymous'
    "</wsa:Address></wsa:From>"
).encode()


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How calls are made.

    ``timeout`` bounds a whole call and ``connect_timeout`` the making of a connection, both in
    seconds. ``ca`` is a file or folder of trusted authorities, empty for the system's.
    """

    timeout: float = 600.0
    connect_timeout: float = 10.0
    limits: Limits = REPLY_LIMITS
    credentials: Credentials | None = None
    ca: str = ""
    authorization: Authorization = "host"


class ThreadTransports:
    """Transports of a client that threads share: each thread has its own connections.

    Making one raises ConfigError where the certificates of the settings can't be used.
    """

    def __init__(self, settings: CallSettings) -> None:
        self._settings = settings
        self._tls = tls_context(
            settings.credentials, ca=settings.ca, authorization=settings.authorization
        )
        self._local = threading.local()

    def mine(self) -> BoundedTransport:
        """That of the present thread."""
        found: BoundedTransport | None = getattr(self._local, "transport", None)
        if found is None:
            found = self._local.transport = BoundedTransport(
                self._tls,
                connect_timeout=self._settings.connect_timeout,
                limit=self._settings.limits.size,
            )
        return found


class SoapClient:
    """Sends requests and reads replies; may be shared by threads, each has its own connections.

    Making one raises ConfigError where the certificates of the settings can't be used.
    """

    def __init__(self, settings: CallSettings | None = None) -> None:
        self.settings = settings or CallSettings()
        self._transports = ThreadTransports(self.settings)

    def call(
        self,
        epr: EndpointReference,
        operation: Operation,
        body: bytes,
        *,
        dialect: Dialect,
        timeout: float | None = None,
    ) -> Element:
        """Send `body` to the resource and return the child of the reply's Body.

        `timeout` shortens that of the settings. Raises RemoteFault or RemoteError.
        """
        action = dialect.action(operation)
        message = write_envelope(SOAP11, body, headers=request_headers(epr, action, dialect))
        headers = {
            "Content-Type": SOAP11.content_type,
            "SOAPAction": f'"{action}"',
            "Accept": "text/xml, application/soap+xml",
            "User-Agent": _USER_AGENT,
        }
        allowed = self.settings.timeout if timeout is None else min(timeout, self.settings.timeout)
        with logged_call(epr.address, f"{operation.name} in {dialect.name}"):
            transport = self._transports.mine()
            reply = transport.exchange(epr.address, message, headers=headers, timeout=allowed)
            answer = read_reply(epr.address, reply, limits=self.settings.limits)
            expected = f"{operation.name}Response"
            if not str(answer.tag).endswith(f"}}{expected}"):
                raise RemoteError(
                    f"{epr.address} answered {operation.name} with {answer.tag}, not {expected}"
                )
            return answer


def request_headers(epr: EndpointReference, action: str, dialect: Dialect) -> bytes:
    """The header blocks of a request: WS-Addressing in the dialect's version, and the references.

    By WS-Addressing 1.0 (SOAP binding, section 3.4) each copied parameter is marked as one; by
    the draft of 2004/03 it is copied as it is.
    """
    blocks = addressing_headers(
        dialect.wsa, To=epr.address, Action=action, MessageID=f"urn:uuid:{uuid.uuid4()}"
    )
    if dialect.wsa != ns.WSA_2005_08:
        return b"".join((blocks, _ANONYMOUS, *epr.references))
    return b"".join((blocks, *map(_marked, epr.references)))


def _marked(reference: bytes) -> bytes:
    element = parse(reference)
    element.set(ns.clark(ns.WSA_2005_08, "IsReferenceParameter"), "true")
    return serialise(element)
