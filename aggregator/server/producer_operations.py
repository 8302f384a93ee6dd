"""Groups and entries as notification producers: Subscribe and GetCurrentMessage."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from aggregator.errors import (
    InvalidTopicExpression,
    MultipleTopics,
    NoCurrentMessage,
    ResourceUnknown,
    SubscribeFailed,
    UnsupportedPolicy,
)
from aggregator.notify.consumer import check_consumer
from aggregator.notify.subscription import Switches, entry_message
from aggregator.server import properties as found_properties
from aggregator.server.properties import Scene
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.server.subscribing import NewSubscription, scene_of, topics_of, unsupported
from aggregator.store.outbox import last_notice
from aggregator.store.pull_points import PULL_POINT_PATH, find_pull_point, hold_pull_point
from aggregator.store.write import Write
from aggregator.store.writing import Writing
from aggregator.view.topics import ENTRY
from aggregator.view.views import group_facts
from aggregator.wire.epr import EndpointReference, write_epr
from aggregator.wire.namespaces import clark
from aggregator.wire.notify import write_value_change
from aggregator.wire.subscribing import CHANGED_ENTRIES, Subscribe, read_subscribe
from aggregator.wire.subscription_replies import subscribe_response
from aggregator.wire.topics import Topic, TopicExpression, in_dialect, read_topic_expression


def subscribe(site: Site, request: Request) -> Writing[Reply]:
    """Subscribe: tell a consumer of what changes, from the commit of this request on."""
    asked = read_subscribe(request.envelope.body, dialect=request.dialect)
    check_consumer(asked.consumer.address)
    token = _pull_point_token(site, asked.consumer.address)
    if token is not None:
        asked = _at_pull_point(site, request, asked)
    new = NewSubscription.of(site, request, asked, termination=asked.termination)

    def unit(write: Write) -> str:
        return new.store(write, pull_point=0 if token is None else _held(write, token))

    key: str = yield unit
    body = subscribe_response(
        new.managed_at(key),
        dialect=request.dialect,
        now=new.now,
        termination=new.termination,
        changed_entries=CHANGED_ENTRIES in asked.policies,
    )
    return reply(body)


def _pull_point_token(site: Site, address: str) -> str | None:
    """The token of a pull point of ours at an address; None for any other consumer."""
    base = f"{site.public_url}{PULL_POINT_PATH}"
    return address.removeprefix(base) if address.startswith(base) else None


def _at_pull_point(site: Site, request: Request, asked: Subscribe) -> Subscribe:
    """What is asked for by who comes for it at a pull point of ours.

    Its address is a secret, which nobody needs to read here again.
    """
    if request.dialect.family != "oasis":
        raise SubscribeFailed(
            "the ConsumerReference is a pull point, which gives messages of the final standard "
            "alone; subscribe in its dialect"
        )
    if asked.raw:
        raise UnsupportedPolicy(
            "UseRaw can't be kept where the ConsumerReference is a pull point, which gives "
            "NotificationMessages alone",
            unknown=(clark(request.dialect.nt, "UseRaw"),),
        )
    base = EndpointReference(f"{site.public_url}{PULL_POINT_PATH}".rstrip("/"))
    written = write_epr(
        base, name="ConsumerReference", namespace=request.dialect.nt, dialect=request.dialect
    )
    return replace(asked, consumer=base, consumer_xml=written)


def _held(write: Write, token: str) -> int:
    """The id of a pull point, which nobody ends meanwhile: he would not see the subscription."""
    try:
        number = find_pull_point(write.connection, token).id
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
    kinds = Switches(
        renewals=group.settings.notify_on_lifetime_extension,
        contents=group.settings.notify_on_content_change,
    ).kinds()
    ask = partial(last_notice, group_id=group.id, group=group.name, kinds=kinds)
    told = site.registry.store.query(ask)
    if told is None:
        raise NoCurrentMessage(
            f"nothing was published about the entries of {group.name} of late; read the property "
            "Entry for what there is"
        )
    return entry_message(told, facts=group_facts(group, site.settings), dialect=request.dialect)


def _one_topic(expression: TopicExpression, scene: Scene) -> Topic:
    found = [topic for topic in topics_of(scene) if expression.selects(topic)]
    if not found:
        raise unsupported(expression, scene)
    if len(found) > 1:
        raise MultipleTopics(f"{expression.text[:200]!r} selects {len(found)} topics; name one")
    return found[0]
