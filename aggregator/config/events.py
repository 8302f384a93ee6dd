"""Settings of the event bus: the broker, what the service publishes, what it keeps and takes."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.config.kinds import text, truth, whole_number
from aggregator.config.measures import duration, size
from aggregator.config.places import broker_url
from aggregator.config.setting import derived, setting


@dataclass(frozen=True, slots=True)
class EventsSettings:
    """``[events]``: durations in seconds, sizes in bytes."""

    broker: str = derived(
        lambda _: "",
        broker_url(),
        "URL of the broker of the event bus, such as amqp://user:password@host:5672/vhost or"
        " amqps://... Empty: events go through the service's own store.",
        default_text='""',
        secret=True,
    )
    sys_name: str = setting(
        "",
        text(
            "a name of at most 60 letters, digits, _, - and dots",
            pattern=r"[A-Za-z0-9_.-]{0,60}",
        ),
        "Name of the system, which keeps systems apart that share a broker: the exchange is"
        " SYS_NAME.events.topic.",
    )
    publish: bool = setting(
        False,
        truth(),
        "Whether the service publishes its own life: registrations, collections that fail and"
        " recover, subscriptions, start and stop. The same on all hosts that share a store.",
    )
    durable: bool = setting(
        False,
        truth(),
        "Whether the exchange, and what is bound to it, outlives a restart of the broker;"
        " all that share a system must say the same. A service that collects events should.",
    )
    broker_timeout: float = setting(
        10.0, duration(0.1, 60), "Time that the broker has to answer and to confirm."
    )
    max_message: int = setting(
        2**20, size(1024, 2**28), "Largest event that is published, and that is collected."
    )
    max_fetch: int = setting(
        100,
        whole_number(1, 10_000),
        "Events that are fetched for a registration in one turn; the turn ends with the event that"
        " makes it more than 4 MiB, too.",
    )
    max_waiting: int = setting(
        1000,
        whole_number(1, 1_000_000),
        "Fetched events of one registration that may wait for the collector; others stay at the"
        " broker.",
    )
    log_age: float = setting(
        86400.0,
        duration(10),
        "How long events are kept, read or not: in the store, and in the queues of registrations.",
    )
    log_length: int = setting(
        100_000,
        whole_number(10, 100_000_000),
        "How many of them are kept; the store's are looked after once a minute.",
    )
