"""The event monitor: subscriptions for clients that ask for events from time to time."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from aggregator.errors import SubscriptionRefused
from aggregator.events.kept import KeptEvents
from aggregator.events.lifecycle import LifecycleObject
from aggregator.events.subscriber import EventSubscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeReply:
    """A subscription that was made."""

    session_id: str
    subscription_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeReply:
    """Always OK, whether or not there was something to end."""

    session_id: str
    status: str = "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionData:
    """What a subscription received; `subscription_desc` is the pattern that it is bound with."""

    subscription_id: str
    subscription_desc: str
    events: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDataReply:
    """What the subscriptions of a session received, in the order in which they were made."""

    session_id: str
    data: tuple[SubscriptionData, ...]


@dataclass(slots=True)
class _Watch:
    subscriber: EventSubscriber
    events: KeptEvents


@dataclass(slots=True)
class _Session:
    last_request_time: float
    last_seen: float
    watches: dict[str, _Watch] = field(default_factory=dict)


class EventMonitor(LifecycleObject):
    """Subscribes for clients and keeps what arrives, which upstream kept for ever.

    A subscription keeps the `max_events` last events, none for longer than `max_age` seconds, and
    at most `max_bytes` of them. There are at most `max_subscriptions`, and a session that asked
    for nothing in `max_idle` seconds ends when another one subscribes. `clock` gives seconds
    since 1970 UTC.
    """

    service_name: ClassVar[str] = "event_monitor"

    def __init__(
        self,
        *,
        max_events: int = 10_000,
        max_age: float = 3600.0,
        max_bytes: int = 16 * 1024 * 1024,
        max_subscriptions: int = 1000,
        max_idle: float = 86_400.0,
        sys_name: str | None = None,
        broker: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._keep = partial(
            KeptEvents, max_events=max_events, max_age=max_age, max_bytes=max_bytes, clock=clock
        )
        self._max_subscriptions = max_subscriptions
        self._max_idle = max_idle
        self._subscriber = partial(EventSubscriber, sys_name=sys_name, broker=broker)
        self._clock = clock
        self._changing = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        # Subscriptions, with those that are just being made.
        self._count = 0

    def subscribe(
        self, session_id: str, *, event_id: int | None = None, origin: str | None = None
    ) -> SubscribeReply:
        """Collect events for a session, of any kind or from anywhere where that is not given.

        Raises SubscriptionRefused when there are too many, and what activating a subscriber does.
        """
        self._not_terminated()
        self._end(self._idle())
        self._reserve()
        try:
            subscriber = self._subscriber(event_id=event_id, origin=origin)
            events = self._keep()
            subscriber.on_data = events.keep
            subscriber.activate()
        except BaseException:
            self._give_back(1)
            raise
        watch = _Watch(subscriber, events)
        now = self._clock()
        with self._changing:
            session = self._sessions.setdefault(session_id, _Session(now, now))
            session.last_seen = now
            subscription_id = _new_id(session)
            session.watches[subscription_id] = watch
        return SubscribeReply(session_id=session_id, subscription_id=subscription_id)

    def unsubscribe(self, session_id: str, subscription_id: str | None = None) -> UnsubscribeReply:
        """End a subscription, or without its id all of the session; what is unknown is no error."""
        with self._changing:
            session = self._sessions.get(session_id)
            ended: list[_Watch] = []
            if session is not None and subscription_id:
                if subscription_id in session.watches:
                    ended.append(session.watches.pop(subscription_id))
                if not session.watches:
                    del self._sessions[session_id]
            elif session is not None:
                ended += self._sessions.pop(session_id).watches.values()
        self._end(ended)
        return UnsubscribeReply(session_id=session_id)

    def getdata(
        self,
        session_id: str,
        timestamp: str | float | None = None,
        subscriber_id: Sequence[str] = (),
    ) -> GetDataReply:
        """The events of a session from `timestamp` on, of these subscriptions or of all.

        Without a timestamp (seconds since 1970 UTC, as a text) they are those since the last time
        that it was asked so. One that is no number is 0. It is compared with the `datetime` of the
        event, and an event of just that instant is told: it may be told twice.
        """
        with self._changing:
            session = self._sessions.get(session_id)
            if session is None:
                return GetDataReply(session_id=session_id, data=())
            since = self._since(session, timestamp)
            chosen = [
                (key, watch)
                for key, watch in session.watches.items()
                if not subscriber_id or key in subscriber_id
            ]
        data = tuple(
            SubscriptionData(
                subscription_id=key,
                subscription_desc=watch.subscriber.binding_key,
                events=watch.events.since(since),
            )
            for key, watch in chosen
        )
        return GetDataReply(session_id=session_id, data=data)

    def on_terminate(self, *args: Any, **kwargs: Any) -> None:
        """End all subscriptions."""
        with self._changing:
            sessions, self._sessions = self._sessions, {}
        self._end([watch for one in sessions.values() for watch in one.watches.values()])

    def _since(self, session: _Session, timestamp: str | float | None) -> float:
        now = session.last_seen = self._clock()
        if timestamp is None or timestamp == "":
            since, session.last_request_time = session.last_request_time, now
            return since
        try:
            given = float(timestamp)
        except ValueError:
            return 0.0
        return 0.0 if math.isnan(given) else given

    def _idle(self) -> list[_Watch]:
        """Take out what belongs to sessions that nobody asks for any more."""
        oldest = self._clock() - self._max_idle
        with self._changing:
            idle = [key for key, one in self._sessions.items() if one.last_seen < oldest]
            return [watch for key in idle for watch in self._sessions.pop(key).watches.values()]

    def _end(self, watches: Sequence[_Watch]) -> None:
        for watch in watches:
            watch.subscriber.terminate()
        self._give_back(len(watches))

    def _reserve(self) -> None:
        with self._changing:
            if self._count >= self._max_subscriptions:
                raise SubscriptionRefused(f"there are {self._count} subscriptions; no more is made")
            self._count += 1

    def _give_back(self, number: int) -> None:
        with self._changing:
            self._count -= number


def _new_id(session: _Session) -> str:
    while (found := str(uuid.uuid4())[:6]) in session.watches:
        pass
    return found
