"""A group's documents in the evaluator: its view, its trees, and the work to bring them up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from aggregator.config import GroupSettings, Settings
from aggregator.errors import ResourceUnknown, StoreUnavailable
from aggregator.model import Health
from aggregator.store.accumulators import read_accumulator
from aggregator.store.action_counts import read_fired
from aggregator.store.groups import IDS
from aggregator.store.reading import health as read_health
from aggregator.store.trouble import is_lost
from aggregator.view import properties
from aggregator.view.current import RETRY_AFTER
from aggregator.view.document import Document
from aggregator.view.fragments import GroupFacts, Published, entry_fragment
from aggregator.view.group_view import GroupView
from aggregator.view.query_messages import QueryRequest
from aggregator.view.store_reader import StoreReader
from aggregator.view.topics import entry_topics, group_topics
from aggregator.view.trees import GroupTree
from aggregator.wire.dialects import Dialect, family

if TYPE_CHECKING:
    from aggregator.store.engine import Store


class GroupDocuments:
    """One group's view, and a tree for each dialect that was ever asked for.

    For one thread. `document` may be called only while `bring_up` is not under way, since in
    between its steps the trees are half patched.
    """

    def __init__(self, settings: GroupSettings, facts: GroupFacts, store: Store) -> None:
        self.view = GroupView(facts)
        self._settings = settings
        self._root = settings.root_element or properties.GROUP_ROOT
        self._store = store
        self._group_id: int | None = None
        self._trees: dict[str, GroupTree] = {}
        self._counts: tuple[bytes, ...] = ()
        self._trouble: StoreUnavailable | None = None
        self._tried = 0.0

    def bring_up(self, families: Iterable[str]) -> Iterator[None]:
        """Take in all that was committed before the call, in steps.

        Raises StoreUnavailable; what was known before can be asked for all the same.
        """
        if self._trouble is not None and time.monotonic() - self._tried < RETRY_AFTER:
            raise self._trouble
        try:
            yield from self._try_refresh()
        except StoreUnavailable as error:
            self._trouble, self._tried = error, time.monotonic()
            raise
        self._trouble = None
        yield from self.patch(families)

    def _try_refresh(self) -> Iterator[None]:
        try:
            yield from self._refresh()
        except StoreUnavailable as error:
            # A connection that was idle may just have been found broken; the next one is new.
            if error.__cause__ is None or not is_lost(error.__cause__):
                raise
            yield from self._refresh()

    def patch(self, families: Iterable[str]) -> Iterator[None]:
        """Bring trees to the present state of the view, in steps."""
        yield from self.view.expiring(self._store.clock.now())
        for name in families:
            if name not in self._trees:
                self._trees[name] = GroupTree(self.view, family(name), root=self._root)
            yield from self._trees[name].catch_up()

    def _refresh(self) -> Iterator[None]:
        now = self._store.clock.now()
        with self._store.read() as connection:
            if self._group_id is None:
                known: dict[str, int] = dict(IDS.rows(connection))
                self._group_id = known.get(self.view.facts.name)
            if self._group_id is None:
                raise StoreUnavailable(
                    f"the store does not know the group {self.view.facts.name} yet"
                )
            yield from self.view.catch_up(StoreReader(connection, self._group_id), now=now)
            count = read_accumulator(connection, self._group_id, now)
            counts = [properties.registration_count(**count.shown())]
            if self._settings.has_triggers:
                fired = read_fired(connection, self._group_id, now)
                counts.append(properties.actions_fired_count(**fired.shown()))
        self._counts = tuple(counts)

    def document(self, request: QueryRequest) -> Callable[[], Document]:
        """What makes the document of a request, in the child; ResourceUnknown for no such entry."""
        now = self._store.clock.now()
        dialect = family(request.family)
        if request.entry_key is None:
            return partial(self._group_document, dialect, now)
        entry = self.view.entry(request.entry_key, now=now)
        if entry is None:
            raise ResourceUnknown("the entry does not exist or has expired")
        return partial(
            Document, properties.ENTRY_ROOT, before=self._entry_parts(entry, dialect, now)
        )

    def _group_document(self, dialect: Dialect, now: int) -> Document:
        return Document(
            self._root,
            tree=self._trees[dialect.family].root,
            before=properties.membership_rules(self._settings.membership_rules, dialect=dialect),
            entries=lambda: self.view.entries(dialect, now=now),
            entry_fragment=partial(self._fragment, dialect),
            after=(
                *self._counts,
                properties.current_time(now, dialect=dialect),
                properties.termination_time(None, dialect=dialect),
                *group_topics(dialect),
            ),
        )

    def _fragment(self, dialect: Dialect, key: str) -> bytes | None:
        entry = self.view.entry_by_key(key)
        return None if entry is None else entry_fragment(entry, self.view.frame(dialect))

    def _entry_parts(self, entry: Published, dialect: Dialect, now: int) -> list[bytes]:
        return [
            properties.termination_time(entry.termination, dialect=dialect),
            properties.member_epr(entry, dialect=dialect),
            properties.content(entry, dialect=dialect),
            properties.current_time(now, dialect=dialect),
            properties.service_group_epr(self.view.facts, dialect=dialect),
            *entry_topics(dialect),
            properties.health(self._health(entry)),
        ]

    def _health(self, entry: Published) -> Health:
        try:
            with self._store.read() as connection:
                return read_health(connection, entry.id) or entry.health
        except StoreUnavailable:
            return entry.health


def documents_of(settings: Settings, store: Store) -> dict[str, GroupDocuments]:
    """The documents of all groups, by name; nothing is read yet."""
    base = f"{settings.server.public_url.rstrip('/')}/wsrf/services"
    return {
        name: GroupDocuments(
            group,
            GroupFacts(
                name=name,
                address=f"{base}/{name}",
                publish_configuration=group.publish_configuration,
                stale_intervals=settings.collect.stale_intervals,
            ),
            store,
        )
        for name, group in settings.groups.items()
    }
