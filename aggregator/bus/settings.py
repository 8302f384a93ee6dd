"""The event bus as the service is configured for it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from aggregator.config import Settings
from aggregator.events.settings import EventSettings


def event_settings(settings: Settings) -> EventSettings:
    """What publishers and subscribers of the service go by; `broker` is empty for its store."""
    given = settings.events
    return EventSettings(
        sys_name=given.sys_name,
        broker=given.broker,
        timeout=given.broker_timeout,
        max_message=given.max_message,
        durable=given.durable,
    )


def container_name(settings: Settings) -> str:
    """The name of this service on this host: where clients reach it, or the host's."""
    server = settings.server
    reached = urlsplit(server.public_url).netloc.rpartition("@")[2]
    return reached or f"{socket.gethostname()}:{server.port}"
