"""Settings of notifications: those that the service subscribes to, and those that it sends."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.config.kinds import choice, truth, whole_number
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
    max_message: int = setting(2**22, size(1024, 2**30), "Largest notification that is taken.")
    max_inbox: int = setting(
        10_000,
        whole_number(1, 1_000_000),
        "Notifications of one subscription that may wait for the collector.",
    )
    max_lifetime: float = setting(
        0.0,
        duration(1, or_zero=True),
        "Longest life of a subscription to a group or an entry between two renewals; 0: no limit.",
    )
    max_subscriptions: int = setting(
        10_000, whole_number(1, 1_000_000), "Subscriptions to one group and to its entries."
    )
    queue_length: int = setting(
        10_000,
        whole_number(10, 10_000_000),
        "Changes of a group that are kept for a subscriber who stays away.",
    )
    queue_age: float = setting(3600.0, duration(10), "How long they are kept.")
    overflow: str = setting(
        "drop",
        choice("drop", "end"),
        "What happens to a subscriber who stayed away for longer: drop passes over the oldest"
        " changes, end ends the subscription with a TerminationNotification.",
    )
    suspend_after: float = setting(
        60.0,
        duration(1),
        "How long a consumer may not answer until its subscription is shown as suspended; it is"
        " tried again once a minute.",
    )
    pull_point_lifetime: float = setting(
        600.0,
        duration(10, 86400),
        "How long a pull point goes on after somebody asked it for messages; a subscription by "
        "CreatePullPointSubscription that asks for no time lasts as long.",
    )
    max_pull_points: int = setting(
        1000, whole_number(1, 1_000_000), "Pull points made by CreatePullPoint."
    )
    max_pulled: int = setting(
        1000,
        whole_number(10, 1_000_000),
        "Messages that wait in one pull point; others are kept as those for a subscriber who "
        "stays away, for as long.",
    )
    max_pull_wait: float = setting(
        60.0,
        duration(0.1, 600),
        "Longest time that a PullMessages waits for a first message.",
    )
    check_producer: bool = setting(
        True,
        truth(),
        "Whether a notification that names its producer must name host and port of the member.",
    )
