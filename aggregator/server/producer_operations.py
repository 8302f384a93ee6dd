"""Groups and entries as notification producers: Subscribe and GetCurrentMessage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from aggregator.errors import (
    InvalidTopicExpression,
    MultipleTopics,
    NoCurrentMessage,
    ResourceUnknown,
    SubscribeFailed,
    TopicNotSupported,
)
from aggregator.notify.consumer import check_consumer
from aggregator.notify.granting import granted_until
from aggregator.notify.subscription import dump_request, entry_message
from aggregator.server import properties as found_properties
from aggregator.server.entry_operations import scene_of_entry
from aggregator.server.group_operations import scene_of_group
from aggregator.server.properties import Scene
from aggregator.server.request import Reply, Request, reply
from aggregator.server.routes import MANAGER, SERVICES
from aggregator.server.site import Site
from aggregator.store.outbox import last_notice
from aggregator.store.pull_points import PULL_POINT_PATH, find_pull_point, hold_pull_point
from aggregator.store.subscriptions import count_subscriptions, make_subscription
from aggregator.store.write import Write
from aggregator.store.writing import Writing
from aggregator.view.topics import ENTRY, ENTRY_TOPICS, GROUP_TOPICS
from aggregator.view.views import group_facts
from aggregator.wire.epr import EndpointReference
from aggregator.wire.notify import write_value_change
from aggregator.wire.subscribing import CHANGED_ENTRIES, Subscribe, read_subscribe
from aggregator.wire.subscription_replies import subscribe_response
from aggregator.wire.topics import Topic, TopicExpression, in_dialect, read_topic_expression

log = logging.getLogger(__name__)


def subscribe(site: Site, request: Request) -> Writing[Reply]:
    """Subscribe: tell a consumer of what changes, from the commit of this request on."""
    asked = read_subscribe(request.envelope.body, dialect=request.dialect)
    check_consumer(asked.consumer.address)
    scene = scene_of(site, request)
    found = until(site, asked.termination)
    token = _pull_point_token(site, asked.consumer.address)
    if token is not None and request.dialect.family != "oasis":
        raise SubscribeFailed(
            "the ConsumerReference is a pull point, which gives messages of the final standard "
            "alone; subscribe in its dialect"
        )

    def unit(write: Write) -> str:
        pull_point = 0 if token is None else _own_pull_point(write, token)
        return make(
            write,
            site=site,
            request=request,
            scene=scene,
            asked=asked,
            termination=found.termination,
            pull_point=pull_point,
        )

    manager = yield from subscribed(site, scene, asked, unit)
    body = subscribe_response(
        manager,
        dialect=request.dialect,
        now=found.now,
        termination=found.termination,
        changed_entries=CHANGED_ENTRIES in asked.policies,
    )
    return reply(body)


class Until(NamedTuple):
    """The present, and until when a subscription is granted; None for ever."""

    now: int
    termination: int | None


def until(site: Site, asked: str) -> Until:
    """Until when a subscription is granted that asks for a time."""
    now = site.registry.store.clock.now()
    longest = site.settings.notifications.max_lifetime
    return Until(now, granted_until(asked, now=now, longest=longest))


def make(
    write: Write,
    *,
    site: Site,
    request: Request,
    scene: Scene,
    asked: Subscribe,
    termination: int | None,
    pull_point: int,
) -> str:
    """Store a subscription; its key. Raises SubscribeFailed where there may be no more."""
    most = site.settings.notifications.max_subscriptions
    count = count_subscriptions(write, scene.group.id)
    if count >= most:
        raise SubscribeFailed(
            f"{scene.group.name} has {count} subscriptions, which is all that "
            "max_subscriptions allows"
        )
    return make_subscription(
        write,
        group_id=scene.group.id,
        entry=(scene.entry.id, scene.entry.key) if scene.entry else (0, ""),
        owner=request.caller.owner,
        dialect=request.dialect.name,
        consumer=asked.consumer_xml,
        request=dump_request(asked),
        termination=termination,
        pull_point=pull_point,
    )


def subscribed(
    site: Site, scene: Scene, asked: Subscribe, unit: Callable[[Write], str]
) -> Writing[EndpointReference]:
    """Have a subscription made; where it is managed."""
    _check_topics(asked, scene)
    key: str = yield unit
    log.info(
        "subscribed",
        extra={
            "group": scene.group.name,
            "subscription": key,
            "consumer": asked.consumer.address,
        },
    )
    return EndpointReference(f"{site.public_url}{SERVICES}{MANAGER}/{key}")


def _pull_point_token(site: Site, address: str) -> str | None:
    """The token of a pull point of ours at an address; None for any other consumer."""
    base = f"{site.public_url}{PULL_POINT_PATH}"
    return address.removeprefix(base) if address.startswith(base) else None


def _own_pull_point(write: Write, token: str) -> int:
    try:
        number = find_pull_point(write.connection, token).id
        # Who ends it meanwhile would not see the subscription.
        hold_pull_point(write, number)
        return number
    except ResourceUnknown as error:
        raise SubscribeFailed(f"the ConsumerReference: {error.message}") from error


def get_current_message(site: Site, request: Request) -> Reply:
    """GetCurrentMessage: what a topic's subscribers were told last."""
    scene = scene_of(site, request)
    element = next(request.envelope.body.iterchildren("{*}Topic"), None)
    if element is None:
        raise InvalidTopicExpression("GetCurrentMessage names no Topic")
    topic = _one_topic(read_topic_expression(element), scene)
    dialect = request.dialect
    if topic == ENTRY:
        message = _last_entry(site, request, scene)
    else:
        name = in_dialect(topic[0], dialect)
        pieces = (e.pieces for e in found_properties.find(scene, [name], dialect=dialect))
        value = b"".join(piece for found in pieces for piece in found)
        message = write_value_change(value, dialect=dialect)
    head = f'<n:GetCurrentMessageResponse xmlns:n="{dialect.nt}">'.encode()
    return reply(head, message, b"</n:GetCurrentMessageResponse>")


def _last_entry(site: Site, request: Request, scene: Scene) -> bytes:
    group = scene.group
    told = site.registry.store.query(lambda c: last_notice(c, group.id, group=group.name))
    if told is None:
        raise NoCurrentMessage(
            f"nothing was published about the entries of {group.name} of late; read the property "
            "Entry for what there is"
        )
    return entry_message(told, facts=group_facts(group, site.settings), dialect=request.dialect)


def scene_of(site: Site, request: Request) -> Scene:
    """The group or the entry that a request addresses."""
    if request.target.kind == "entry":
        return scene_of_entry(site, request)
    return scene_of_group(site, request)


def _topics(scene: Scene) -> tuple[Topic, ...]:
    return GROUP_TOPICS if scene.entry is None else ENTRY_TOPICS


def _check_topics(asked: Subscribe, scene: Scene) -> None:
    for expression in asked.topics:
        if not any(expression.selects(topic) for topic in _topics(scene)):
            raise _unsupported(expression, scene)


def _one_topic(expression: TopicExpression, scene: Scene) -> Topic:
    found = [topic for topic in _topics(scene) if expression.selects(topic)]
    if not found:
        raise _unsupported(expression, scene)
    if len(found) > 1:
        raise MultipleTopics(f"{expression.text[:200]!r} selects {len(found)} topics; name one")
    return found[0]


def _unsupported(expression: TopicExpression, scene: Scene) -> TopicNotSupported:
    known = ", ".join("/".join(topic) for topic in _topics(scene))
    return TopicNotSupported(f"{expression.text[:200]!r} selects no topic; there are {known}")
