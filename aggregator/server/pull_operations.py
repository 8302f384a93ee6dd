"""Pull points: CreatePullPoint and what is done there, and ONVIF's way to subscribe by pulling."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import NamedTuple

from aggregator.errors import MalformedRequest, PullPointNotCreated, ResourceUnknown
from aggregator.server import metrics
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.server.subscribing import NewSubscription, scene_of
from aggregator.server.subscription_operations import key_of
from aggregator.store.pull_points import (
    PULL_POINT_PATH,
    belongs_to,
    count_pull_points,
    destroy_pull_point,
    find_pull_point,
    keep_turn,
    make_pull_point,
    pull_point_of,
    take_turn,
)
from aggregator.store.pulled import Room, put_pulled, take_pulled
from aggregator.store.subscriptions import (
    Subscription,
    extend_subscription,
    find_subscription,
)
from aggregator.store.write import Write
from aggregator.store.writing import Writing
from aggregator.view.topics import ENTRY_TOPIC_PROPERTIES, GROUP_TOPIC_PROPERTIES
from aggregator.wire.epr import EndpointReference
from aggregator.wire.notify import read_notify
from aggregator.wire.pulling import (
    event_capabilities_response,
    event_properties_response,
    messages_response,
    pull_point_response,
    pull_response,
    pull_subscription_response,
    read_get_messages,
    read_pull_messages,
)
from aggregator.wire.subscribing import read_pull_subscription
from aggregator.wire.subscription_replies import empty_response
from aggregator.wire.times import SECOND
from aggregator.wire.topic_properties import TOPIC_SET

log = logging.getLogger(__name__)

#: Messages that are given at once.
_TOGETHER = 1000


def create_pull_point(site: Site, request: Request) -> Writing[Reply]:
    """CreatePullPoint: a place of its own where messages wait (section 5.2)."""
    settings = site.settings.notifications
    if request.target.key:
        raise ResourceUnknown("a pull point makes no others; send CreatePullPoint to the service")

    def unit(write: Write) -> str:
        count = count_pull_points(write)
        if count >= settings.max_pull_points:
            raise PullPointNotCreated(
                f"there are {count} pull points, which is all that max_pull_points allows"
            )
        return make_pull_point(write, lifetime=_micros(settings.pull_point_lifetime))[1]

    token: str = yield unit
    log.info("a pull point was made", extra={"owner": request.caller.owner})
    address = f"{site.public_url}{PULL_POINT_PATH}{token}"
    return reply(pull_point_response(EndpointReference(address)))


def get_messages(site: Site, request: Request) -> Writing[Reply]:
    """GetMessages: the oldest messages, which are there no longer (section 5.1)."""
    most = read_get_messages(request.envelope.body, most=_TOGETHER)

    def unit(write: Write) -> list[bytes]:
        found = find_pull_point(write.connection, request.target.key)
        take_turn(write, found)
        return take_pulled(write, found.id, most=most)

    messages: list[bytes] = yield unit
    metrics.PULLED.inc(len(messages))
    return reply(messages_response(messages))


def destroy(site: Site, request: Request) -> Writing[Reply]:
    """DestroyPullPoint: with the subscriptions whose consumer it is."""

    def unit(write: Write) -> None:
        destroy_pull_point(write, find_pull_point(write.connection, request.target.key).id)

    yield unit
    log.info("a pull point was destroyed", extra={"owner": request.caller.owner})
    return reply(empty_response(request.operation, dialect=request.dialect))


def notify(site: Site, request: Request) -> Writing[Reply]:
    """Notify: whoever knows a pull point may put messages there."""
    settings = site.settings.notifications
    if request.dialect.family != "oasis":
        raise MalformedRequest(
            "the Notify is of the drafts; a pull point takes those of the final standard alone"
        )
    _, messages = read_notify(request.envelope.body, largest=settings.max_message)

    def unit(write: Write) -> None:
        found = find_pull_point(write.connection, request.target.key)
        room = Room(settings.max_pulled, settings.max_pulled_size)
        put_pulled(write, found.id, messages, room=room)

    yield unit
    return reply()


def create_pull_subscription(site: Site, request: Request) -> Writing[Reply]:
    """CreatePullPointSubscription: a subscription and its pull point in one (ONVIF Core)."""
    usual = site.settings.notifications.pull_point_lifetime
    asked = read_pull_subscription(request.envelope.body, dialect=request.dialect)
    until = asked.termination or f"PT{usual:.3f}S"
    new = NewSubscription.of(site, request, asked, termination=until)
    lifetime = _micros(usual) if new.termination is None else new.termination - new.now

    def unit(write: Write) -> str:
        point, _ = make_pull_point(write, lifetime=lifetime)
        key = new.store(write, pull_point=point)
        made = find_subscription(write.connection, key, write.now)
        belongs_to(write, point, subscription=made.id)
        return key

    key: str = yield unit
    manager = new.managed_at(key)
    return reply(pull_subscription_response(manager, now=new.now, termination=new.termination))


class _Pulled(NamedTuple):
    """What one look has brought; `turn` is of who asks, None once another asks as well."""

    now: int
    termination: int | None
    pull_point: int
    turn: int | None
    messages: list[bytes]


def pull_messages(site: Site, request: Request) -> Writing[Reply]:
    """PullMessages: the oldest messages, once there are some or the time is up (ONVIF Core).

    Who asks again, on another connection, has the other one answered with nothing. A client that
    has left is given nothing, so that what is there stays for when it comes back.
    """
    asked = read_pull_messages(
        request.envelope.body,
        longest=site.settings.notifications.max_pull_wait,
        most=_TOGETHER,
    )
    end = time.monotonic() + asked.wait
    turn: int | None = None
    while True:
        look = partial(_look, request, most=asked.most, wait=asked.wait, turn=turn)
        found: _Pulled = yield look
        turn = found.turn
        if found.messages or turn is None or time.monotonic() >= end or request.is_gone():
            break
        wait = site.pulls.wait(found.pull_point, turn, end)
        if wait is None:
            break
        try:
            yield wait
        except TimeoutError:
            # Nobody looked in time, as where the store hangs.
            break
    metrics.PULLED.inc(len(found.messages))
    return reply(pull_response(found.messages, now=found.now, termination=found.termination))


def _look(request: Request, write: Write, *, most: int, wait: float, turn: int | None) -> _Pulled:
    subscription = find_subscription(write.connection, key_of(request), write.now)
    point = pull_point_of(write.connection, subscription)
    termination = subscription.termination
    if turn is None:
        turn = take_turn(write, point)
        # As long as at first from the answer on, and no shorter than it waits (ONVIF Core).
        lifetime = max(point.lifetime, _micros(wait))
        termination = _kept_alive(write, subscription, lifetime, wait=_micros(wait))
    elif not keep_turn(write, point.id, turn):
        return _Pulled(write.now, termination, point.id, None, [])
    messages = [] if request.is_gone() else take_pulled(write, point.id, most=most)
    return _Pulled(write.now, termination, point.id, turn, messages)


def _kept_alive(write: Write, found: Subscription, lifetime: int, *, wait: int) -> int | None:
    """Let a subscription last so long after the wait; noted once a part of that is over."""
    if found.termination is None or found.termination - write.now > wait + lifetime * 3 // 4:
        return found.termination
    termination = write.now + wait + lifetime
    extend_subscription(write, found, termination)
    return termination


def event_properties(site: Site, request: Request) -> Reply:
    """GetEventProperties: the topics and the filters that there are (ONVIF Core)."""
    scene = scene_of(site, request)
    written = GROUP_TOPIC_PROPERTIES if scene.entry is None else ENTRY_TOPIC_PROPERTIES
    [topic_set] = written["oasis"][TOPIC_SET]
    schemas = [f"{site.public_url}/schemas/oasis/{name}" for name in ("sg-2.xsd", "rp-2.xsd")]
    return reply(event_properties_response(topic_set, schemas=schemas))


def event_capabilities(site: Site, request: Request) -> Reply:
    """GetServiceCapabilities: what there is of ONVIF's events (ONVIF Core)."""
    most = site.settings.notifications.max_subscriptions
    return reply(event_capabilities_response(most=most))


def _micros(seconds: float) -> int:
    return round(seconds * SECOND)
