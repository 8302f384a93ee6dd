"""Where events go: the system's name, the broker, and limits, for the process and for each call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

SYSTEM, BROKER = "AGGREGATOR_EVENTS_SYSTEM", "AGGREGATOR_EVENTS_BROKER"
_EXCHANGE_POINT = "events.topic"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """What publishers and subscribers go by that are not told otherwise.

    `sys_name` keeps systems apart that share a broker. `broker` is an URL such as
    ``amqp://user:password@host:5672/vhost``, ``amqps://...``, or empty: then events stay within
    the process. `timeout` is in seconds: for the broker to be reached and to confirm.
    `max_message` is in bytes, of what is sent and of what is read. `encoding` is what is written;
    both are read. `durable` says whether the exchange outlives a restart of the broker; all that
    share a system must say the same, for a broker refuses who says otherwise.
    """

    sys_name: str = ""
    broker: str = ""
    timeout: float = 10.0
    max_message: int = 1024 * 1024
    encoding: Literal["json", "xml"] = "json"
    durable: bool = False

    def __post_init__(self) -> None:
        if self.encoding not in ("json", "xml"):
            raise ValueError(f"encoding must be 'json' or 'xml'; given was {self.encoding!r}")
        if self.timeout <= 0 or self.max_message <= 0:
            raise ValueError("timeout and max_message must be above zero")


class _Process:
    """The settings of this process; read from the environment when they are first asked for."""

    settings: EventSettings | None = None


def configure(**changes: Any) -> EventSettings:
    """Change settings of this process, by the names that EventSettings has; the settings now.

    Publishers and subscribers that were made before keep theirs. Raises TypeError for a name
    that is no setting.
    """
    _Process.settings = replace(current(), **changes)
    return _Process.settings


def current() -> EventSettings:
    """The settings of this process."""
    if _Process.settings is None:
        _Process.settings = from_environment(os.environ)
    return _Process.settings


def from_environment(environ: Mapping[str, str]) -> EventSettings:
    """The defaults, and what the variables give."""
    return EventSettings(sys_name=environ.get(SYSTEM, ""), broker=environ.get(BROKER, ""))


def adjusted(*, sys_name: str | None = None, broker: str | None = None) -> EventSettings:
    """The settings of this process with those that are given here."""
    given: dict[str, Any] = {"sys_name": sys_name, "broker": broker}
    return replace(current(), **{key: one for key, one in given.items() if one is not None})


def get_events_exchange_point(sys_name: str | None = None) -> str:
    """The name of the exchange: ``<sys_name>.events.topic``, without a system ``events.topic``."""
    name = current().sys_name if sys_name is None else sys_name
    return f"{name}.{_EXCHANGE_POINT}" if name else _EXCHANGE_POINT


def queue_of_system(queue_name: str | None, sys_name: str) -> str:
    """The name of a queue on the broker; empty for one that the broker names.

    Queues are not scoped to their exchange, so two systems on one broker would share those of one
    name. What begins with the system's name already is left alone, be there a dot or not.
    """
    if not queue_name:
        return ""
    if not sys_name or queue_name.startswith(sys_name):
        return queue_name
    return f"{sys_name}.{queue_name}"


def shown(broker: str) -> str:
    """The URL as it may be shown: without what it says of the user."""
    return ";".join(map(_shown, broker.split(";")))


def _shown(url: str) -> str:
    """One that is written wrongly may hold a password anywhere before its last @."""
    scheme, slashes, rest = url.partition("://")
    rest = (rest if slashes else url).rpartition("@")[2].partition("?")[0]
    return f"{scheme}{slashes}{rest}" if slashes else rest
