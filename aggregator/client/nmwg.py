"""Messages of the NMWG protocol, sent to services of perfSONAR."""

from __future__ import annotations

from aggregator.client.call_log import logged_call
from aggregator.client.replies import FAULTS, no_message, read_document, read_fault
from aggregator.client.soap import CallSettings, ThreadTransports
from aggregator.errors import RequestError
from aggregator.wire.nmwg import HEADERS, find_message, wrapped
from aggregator.wire.parse import Element, Limits

#: What one reply may be. An archive that is asked for a month of a test tells as much.
REPLY_LIMITS = Limits(size=64 * 2**20, depth=64, nodes=4_000_000, namespaces=128)

_HEADERS = {**HEADERS, "Accept": "text/xml", "User-Agent": "mds-aggregator"}


class NmwgClient:
    """Sends messages; may be shared by threads, each has its own connections.

    Making one raises ConfigError where the certificates of the settings can't be used.
    """

    def __init__(self, settings: CallSettings | None = None) -> None:
        self.settings = settings or CallSettings(limits=REPLY_LIMITS)
        self._transports = ThreadTransports(self.settings)

    def send(self, url: str, message: Element, *, timeout: float | None = None) -> Element:
        """The nmwg:message with which the service at `url` answers.

        `message` is one, or the envelope around one; `timeout` shortens that of the settings.
        RemoteError, saying what came instead, for
        whatever else is answered; an error that the message tells of is none.
        """
        return find_message(self.exchange(url, message, timeout=timeout))

    def exchange(self, url: str, message: Element, *, timeout: float | None = None) -> Element:
        """The same as the whole document that came, which holds one message."""
        allowed = self.settings.timeout if timeout is None else min(timeout, self.settings.timeout)
        with logged_call(url, message.get("type", "message")[:60]):
            reply = self._transports.mine().exchange(
                url, wrapped(message), headers=_HEADERS, timeout=allowed
            )
            root = None
            try:
                root = read_document(url, reply, limits=self.settings.limits)
                find_message(root)
            except RequestError as error:
                fault = None if root is None else next(root.iter(*FAULTS), None)
                if fault is not None:
                    raise read_fault(fault) from error
                raise no_message(url, reply, error, kind="NMWG") from error
            return root


def send(
    url: str, message: Element, *, timeout: float = 60.0, limits: Limits = REPLY_LIMITS
) -> Element:
    """Send one message and return the one that is answered, within `timeout` seconds; RemoteError
    for whatever does not end in one."""
    return NmwgClient(CallSettings(timeout=timeout, limits=limits)).send(url, message)
