"""The delivery of notifications put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aggregator.collect.following import Following
from aggregator.collect.recording import GroupRecorder, Recording
from aggregator.config import Settings
from aggregator.contract import Http
from aggregator.notify.conditions import Conditions
from aggregator.notify.delivery import Delivery
from aggregator.notify.group_feeds import NotifiedGroup
from aggregator.notify.subscription import Switches
from aggregator.view.fragments import GroupFacts
from aggregator.view.query_socket import query_socket


def delivery_of(
    settings: Settings,
    recording: Recording,
    following: Following,
    recorders: Mapping[str, GroupRecorder],
    http: Http,
    *,
    epochs: Callable[[], Mapping[int, int]],
) -> Delivery:
    """What sends notifications to subscribers; `http` is the way to them."""
    services = f"{settings.server.public_url.rstrip('/')}/wsrf/services/"
    delivery = Delivery(
        settings.notifications,
        groups={
            name: NotifiedGroup(
                GroupFacts(
                    name=name,
                    address=f"{services}{name}",
                    publish_configuration=group.publish_configuration,
                    stale_intervals=settings.collect.stale_intervals,
                ),
                Switches(
                    renewals=group.notify_on_lifetime_extension,
                    contents=group.notify_on_content_change,
                ),
            )
            for name, group in settings.groups.items()
        },
        manager=f"{services}SubscriptionManagerService",
        http=http,
        conditions=Conditions(query_socket(settings), timeout=settings.query.timeout),
        ask=following.ask,
        write=recording.write,
        epochs=epochs,
        shards=settings.collect.shards,
        clock=recording.store.clock.now,
    )
    for recorder in recorders.values():
        recorder.on_recorded = delivery.look_soon
    return delivery
