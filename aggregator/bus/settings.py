"""The event bus as the service is configured for it."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import psutil

from aggregator.config import Settings
from aggregator.events.settings import EventSettings
from aggregator.wire.times import SECOND


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
    """The name of the service on this host, which hosts behind one address do not share."""
    server = settings.server
    port = server.port or urlsplit(server.public_url).port or 0
    return f"{socket.gethostname()}:{port}"


def service_started() -> int:
    """When the supervisor of this process was started, which is the same for all that it starts
    anew, microseconds."""
    parent = os.getppid()
    # Without a supervisor, it is this process itself.
    return round(psutil.Process(parent if parent != 1 else None).create_time() * SECOND)
