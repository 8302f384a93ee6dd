"""The event bus of a collector put together from the settings, and what it keeps short."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from aggregator.bus.bus import Bus, Kept
from aggregator.bus.carrying import BrokerCarrier, Carrier, StoreCarrier, Writing
from aggregator.bus.life import Life
from aggregator.bus.settings import container_name, event_settings, service_started
from aggregator.config import Settings
from aggregator.store.bus_places import end_places
from aggregator.store.clock import StoreClock
from aggregator.store.event_log import prune_events
from aggregator.store.event_queues import prune_queues
from aggregator.store.happenings import forget_happenings, note_start, note_stop
from aggregator.store.write import Write
from aggregator.wire.times import SECOND

log = logging.getLogger(__name__)

#: Events that are dropped from the log in one transaction.
_MOST = 2000


def bus_of(
    settings: Settings,
    *,
    ask: Callable[[Callable[[Any], Any]], Awaitable[Any]],
    write: Writing,
    epochs: Callable[[], Mapping[int, int]],
    clock: StoreClock,
) -> Bus | None:
    """The bus, None where the service does not publish its life."""
    if not settings.events.publish:
        return None
    given = event_settings(settings)
    life = partial(Life, given, container_name(settings))
    exchange = life().exchange
    carrier: Carrier = StoreCarrier(exchange, write)
    if given.broker:
        carrier = BrokerCarrier(given, exchange=exchange, write=write)
    return Bus(
        carrier,
        lambda: life(ahead=clock.ahead()),
        groups=frozenset(settings.groups),
        renewals=frozenset(
            name for name, one in settings.groups.items() if one.notify_on_lifetime_extension
        ),
        kept=Kept(settings.notifications.queue_length, settings.notifications.queue_age),
        ask=ask,
        write=write,
        epochs=epochs,
        shards=settings.collect.shards,
        clock=clock.now,
    )


def begin(write: Write, settings: Settings) -> None:
    """Note that the service was started here; where it publishes nothing, that nobody asks."""
    if settings.events.publish:
        address = settings.server.public_url
        note_start(write, container_name(settings), started=service_started(), address=address)
    elif ended := end_places(write):
        dropped = forget_happenings(write)
        log.warning(
            "the life of the service is published no more: %d groups, %d happenings untold",
            ended,
            dropped,
        )


def end(write: Write, settings: Settings) -> None:
    """Note that the service was stopped here."""
    note_stop(write, container_name(settings), address=settings.server.public_url)


def prune(write: Write, settings: Settings) -> int:
    """Drop events from the store's log that are kept no longer, some at a time; how many."""
    kept = settings.events
    age = round(kept.log_age * SECOND)
    before = write.now - age
    # What waited in such a queue has left the log by then.
    prune_queues(write, before=before - age)
    return prune_events(write, before=before, longest=kept.log_length, most=_MOST)
