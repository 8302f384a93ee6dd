"""The views of all groups in one process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from aggregator.config import GroupSettings, Settings
from aggregator.view.current import Ask, CurrentView
from aggregator.view.fragments import GroupFacts
from aggregator.view.group_view import GroupView
from aggregator.view.store_reader import StoreReader

if TYPE_CHECKING:
    from aggregator.store.engine import Store


class Group(Protocol):
    """A group that is offered: its number in the store, its settings, its service's address."""

    @property
    def id(self) -> int:
        """The number of the group in the store."""

    @property
    def settings(self) -> GroupSettings:
        """The settings of the group."""

    @property
    def address(self) -> str:
        """The public address of the group's service."""


class Views:
    """The views of the groups, by name."""

    def __init__(self, store: Store, groups: Mapping[str, Group], settings: Settings) -> None:
        self._views = {
            name: CurrentView(
                GroupView(group_facts(group, settings)),
                ask=_asking(store, group.id),
                now=store.clock.now,
                stale_reads=settings.store.stale_reads,
                mark=store.database.mark,
            )
            for name, group in groups.items()
        }

    def current(self, group: str) -> GroupView:
        """The group's view with every change that was committed before the call.

        While the store is away it is handed out as it is, `stale_since` set, for the time of
        ``store.stale_reads``; then StoreUnavailable is raised. KeyError for an unknown group.
        """
        return self._views[group].get()


def group_facts(group: Group, settings: Settings) -> GroupFacts:
    """What the fragments of a group need to know of it."""
    return GroupFacts(
        name=group.settings.name,
        address=group.address,
        publish_configuration=group.settings.publish_configuration,
        stale_intervals=settings.collect.stale_intervals,
    )


def _asking(store: Store, group_id: int) -> Ask:
    return lambda use: store.query(lambda connection: use(StoreReader(connection, group_id)))
