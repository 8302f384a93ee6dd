"""New subscriptions to groups and entries, whoever is told, or comes for what there is."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aggregator.errors import SubscribeFailed, TopicNotSupported
from aggregator.notify.granting import granted_until
from aggregator.notify.subscription import dump_request
from aggregator.server.entry_operations import scene_of_entry
from aggregator.server.group_operations import scene_of_group
from aggregator.server.properties import Scene
from aggregator.server.request import Request
from aggregator.server.routes import MANAGER, SERVICES
from aggregator.server.site import Site
from aggregator.store.subscriptions import count_subscriptions, make_subscription
from aggregator.store.write import Write
from aggregator.view.topics import ENTRY_TOPICS, GROUP_TOPICS
from aggregator.wire.epr import EndpointReference
from aggregator.wire.subscribing import Subscribe
from aggregator.wire.topics import Topic, TopicExpression

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A subscription that is granted and not stored yet, from `now` until `termination`."""

    site: Site
    request: Request
    asked: Subscribe
    scene: Scene
    now: int
    termination: int | None

    @staticmethod
    def of(site: Site, request: Request, asked: Subscribe, *, termination: str) -> NewSubscription:
        """What is granted to who asks for it until a time, as it was written.

        Raises TopicNotSupported and UnacceptableInitialTime.
        """
        scene = scene_of(site, request)
        for expression in asked.topics:
            if not any(expression.selects(topic) for topic in topics_of(scene)):
                raise unsupported(expression, scene)
        now = site.registry.store.clock.now()
        longest = site.settings.notifications.max_lifetime
        until = granted_until(termination, now=now, longest=longest)
        return NewSubscription(site, request, asked, scene, now, until)

    def store(self, write: Write, *, pull_point: int) -> str:
        """Store it; its key. Raises SubscribeFailed where there may be no more."""
        group, entry = self.scene.group, self.scene.entry
        most = self.site.settings.notifications.max_subscriptions
        count = count_subscriptions(write, group.id)
        if count >= most:
            raise SubscribeFailed(
                f"{group.name} has {count} subscriptions, which is all that "
                "max_subscriptions allows"
            )
        return make_subscription(
            write,
            group_id=group.id,
            entry=(entry.id, entry.key) if entry else (0, ""),
            owner=self.request.caller.owner,
            dialect=self.request.dialect.name,
            consumer=self.asked.consumer_xml,
            request=dump_request(self.asked),
            termination=self.termination,
            pull_point=pull_point,
        )

    def managed_at(self, key: str) -> EndpointReference:
        """Where it is managed, now that it is stored; told to the log."""
        told = {"group": self.scene.group.name, "subscription": key}
        log.info("subscribed", extra={**told, "consumer": self.asked.consumer.address})
        return EndpointReference(f"{self.site.public_url}{SERVICES}{MANAGER}/{key}")


def scene_of(site: Site, request: Request) -> Scene:
    """The group or the entry that a request addresses."""
    if request.target.kind == "entry":
        return scene_of_entry(site, request)
    return scene_of_group(site, request)


def topics_of(scene: Scene) -> tuple[Topic, ...]:
    """What a group or an entry notifies of."""
    return GROUP_TOPICS if scene.entry is None else ENTRY_TOPICS


def unsupported(expression: TopicExpression, scene: Scene) -> TopicNotSupported:
    """The error for an expression that selects none of these topics."""
    known = ", ".join("/".join(topic) for topic in topics_of(scene))
    return TopicNotSupported(f"{expression.text[:200]!r} selects no topic; there are {known}")
