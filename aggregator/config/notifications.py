"""Settings of notifications: those that the service subscribes to, and those that it sends."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.config.kinds import truth, whole_number
from aggregator.config.measures import duration, size
from aggregator.config.setting import setting


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """``[notifications]``: durations in seconds, sizes in bytes."""

    subscription_lifetime: float = setting(
        600.0,
        duration(10, 86400),
        "How long a subscription at a producer is asked for; it is renewed at half of that.",
    )
    establish_timeout: float = setting(
        10.0, duration(0.1, 60), "Time that subscribing may take inside of an Add."
    )
    max_message: int = setting(2**20, size(1024, 2**30), "Largest notification that is taken.")
    max_inbox: int = setting(
        10_000,
        whole_number(1, 1_000_000),
        "Notifications of one subscription that may wait for the collector.",
    )
    check_producer: bool = setting(
        True,
        truth(),
        "Whether a notification that names its producer must name the host of the member.",
    )
