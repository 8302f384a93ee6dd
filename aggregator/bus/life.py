"""What becomes an event of the service's life, and what the event says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aggregator.events import (
    BusinessStateModificationEventPublisher,
    ContainerLifecycleEventPublisher,
    DatasourceUnavailableEventPublisher,
    DatasourceUpdateEventPublisher,
    DelSubscriptionEventPublisher,
    EventPublisher,
    NewSubscriptionEventPublisher,
    ResourceLifecycleEventPublisher,
)
from aggregator.events.publisher import KEY_HEADER
from aggregator.events.settings import EventSettings, get_events_exchange_point
from aggregator.events.transport import Delivery
from aggregator.model import Entry
from aggregator.store.happenings import Happening
from aggregator.store.outbox import Told
from aggregator.wire.times import SECOND, format_datetime

_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class _Said:
    """An event in the making: what became of what, where, when."""

    id: str
    what: str
    origin: str
    key: str
    description: str
    at: int
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class Life:
    """Writes events of the service's life.

    `container` is the name of the service on this host, `ahead` how many microseconds the time of
    day is ahead of the store's.
    """

    settings: EventSettings
    container: str
    ahead: int = 0

    @property
    def exchange(self) -> str:
        """Where they are published."""
        return get_events_exchange_point(self.settings.sys_name)

    def of_change(self, told: Told) -> Iterator[Delivery]:
        """The events of a change of a group: one, or none where it is no matter of the bus."""
        if told.kind == "added":
            yield self._of_registration(told, "added", "NEW")
        elif told.kind == "renewed":
            yield self._of_registration(told, "renewed", "ACTIVE")
        elif told.kind == "removed":
            ends = told.entry.termination
            # Who destroys an entry finds one that still lives; housekeeping one that does not.
            has_expired = ends is not None and ends <= told.at
            yield self._of_registration(
                told, "expired" if has_expired else "destroyed", "TERMINATED"
            )
        elif told.turn == "failing":
            yield self._failing(told)
        elif told.turn == "recovered":
            said = self._about_entry(told, "recovered", "is collected again")
            yield self._written(DatasourceUpdateEventPublisher, said)

    def of_happening(self, happened: Happening, group: str) -> Iterator[Delivery]:
        """The event of something else, of a group by that name where it is of one."""
        said = _Said(
            id=f"{happened.kind}/{happened.id}/{happened.at:x}",
            what=happened.kind,
            origin=group or happened.key,
            key=happened.key,
            description=f"{group or happened.key}: {happened.kind}",
            at=happened.at,
            facts={},
        )
        if happened.kind in ("subscribed", "unsubscribed"):
            facts: dict[str, object] = {"group": group, "subscription": happened.key}
            facts["entry"] = happened.detail or None
            made = happened.kind == "subscribed"
            publisher = NewSubscriptionEventPublisher if made else DelSubscriptionEventPublisher
            yield self._written(publisher, replace(said, facts=facts))
        elif happened.kind in ("started", "stopped"):
            state = "ACTIVE" if happened.kind == "started" else "TERMINATED"
            said = replace(said, facts={"address": happened.detail})
            yield self._written(ContainerLifecycleEventPublisher, said, state=state)
        elif happened.kind in ("fired", "recovered"):
            yield self._of_alert(happened, group, said)

    def _of_alert(self, happened: Happening, group: str, said: _Said) -> Delivery:
        facts: dict[str, object] = {"group": group, "entry": happened.key or None}
        facts.update(json.loads(happened.detail))
        said = replace(said, origin=f"{group}.{happened.key}".rstrip("."), facts=facts)
        # As the action that publishes alerts says it.
        more = {"status": "ERROR"} if happened.kind == "fired" else {}
        return self._written(BusinessStateModificationEventPublisher, said, **more)

    def _of_registration(self, told: Told, what: str, state: str) -> Delivery:
        said = self._about_entry(told, what, f"registration {what}")
        return self._written(ResourceLifecycleEventPublisher, said, state=state)

    def _failing(self, told: Told) -> Delivery:
        health = told.entry.health
        error = {"code": health.error_code, "message": health.error_message[:_LONGEST_TEXT]}
        said = self._about_entry(told, "failing", "can't be collected")
        said.facts["error"] = {**error, "since": self._shown(health.since)}
        return self._written(
            DatasourceUnavailableEventPublisher,
            said,
            status="ERROR",
            datasource_id=told.entry.key,
            title=told.entry.group,
            url=told.entry.address[:_LONGEST_TEXT],
            error_explanation=f"{error['code']}: {error['message']}",
        )

    def _about_entry(self, told: Told, what: str, words: str) -> _Said:
        entry: Entry = told.entry
        address = entry.address[:_LONGEST_TEXT]
        return _Said(
            # The instant tells it from one of a store that began anew.
            id=f"{entry.group}/{told.sequence}/{told.at:x}",
            what=what,
            origin=f"{entry.group}.{entry.key}",
            key=entry.key,
            description=f"{address}: {words}",
            at=told.at,
            facts={
                "group": entry.group,
                "entry": entry.key,
                "member": address,
                "terminates": self._shown(entry.termination),
                "last_success": self._shown(entry.health.last_success),
            },
        )

    def _shown(self, instant: int | None) -> str | None:
        return None if instant is None else format_datetime(instant)

    def _written(self, kind: type[EventPublisher], said: _Said, **more: object) -> Delivery:
        # What an encoding of its own would cost each reader: the facts are one text, as JSON.
        body = {"id": said.id, "what": said.what, "at": self._shown(said.at), **said.facts}
        publisher = kind(
            origin=said.origin,
            xp_name=self.exchange,
            process=self.container,
            sys_name=self.settings.sys_name,
            broker=self.settings.broker,
        )
        publisher.settings = self.settings
        event = kind.create_event(
            name=said.what,
            data_resource_id=said.key,
            origin=said.origin,
            description=said.description,
            datetime=(said.at + self.ahead) / SECOND,
            body=json.dumps(body),
            **more,
        )
        made = publisher.delivery(event, routing_key=publisher.topic(said.origin))
        return replace(made, headers={**made.headers, KEY_HEADER: said.id})
