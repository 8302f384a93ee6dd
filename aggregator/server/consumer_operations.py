"""What the service does when it is notified of something that it subscribed to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from aggregator.errors import NotifyRefused, RequestError
from aggregator.server import metrics
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.store.consumers import put_messages
from aggregator.store.write import Write
from aggregator.store.writing import Writing
from aggregator.wire.notify import read_notify

_PORTS = {"http": 80, "https": 443}


def notify(site: Site, request: Request) -> Writing[Reply]:
    """Notify, or a raw message: into the inbox, durably, for the collector."""
    settings = site.settings.notifications
    try:
        found, messages = read_notify(request.envelope.body, largest=settings.max_message)
    except RequestError as error:
        metrics.observe_unread_notification(error)
        raise

    said = {one.producer for one in found if one.producer}

    def check(member: str, memory: Mapping[str, str]) -> None:
        if settings.check_producer:
            _check_producers(said, member=member, known=memory.get("producer", ""))

    def unit(write: Write) -> None:
        token = request.target.key
        put_messages(write, token, messages, most=settings.max_inbox, check=check)

    try:
        yield unit
    except NotifyRefused as error:
        metrics.NOTIFICATIONS.labels(error.reason).inc(len(messages))
        raise
    metrics.NOTIFICATIONS.labels("taken").inc(len(messages))
    return reply()


def _check_producers(said: set[str], *, member: str, known: str) -> None:
    """Refuse messages that name the host of another producer.

    `known` are the addresses that the producer gave itself as it was subscribed to.
    """
    hosts = {_authority(address) for address in (member, *known.split())}
    for address in said:
        if (authority := _authority(address)) and authority not in hosts:
            raise NotifyRefused(
                f"the ProducerReference is {address[:200]!r}; this is the subscription to "
                f"{member[:200]}",
                reason="producer",
            )


def _authority(address: str) -> str:
    """Host and port of a http or https address, empty for any other, which names no host."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.scheme in _PORTS and parts.hostname else ""
