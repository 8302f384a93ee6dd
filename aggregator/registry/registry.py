"""What every use case of the registry works with, gathered once per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aggregator.config import GroupSettings, Settings
from aggregator.contract import Group
from aggregator.errors import ResourceUnknown
from aggregator.registry.counting import RegistrationCounter
from aggregator.registry.establish import Establishing
from aggregator.registry.own_address import Host
from aggregator.registry.plugins import Plugins
from aggregator.store.engine import Store


@dataclass(frozen=True, slots=True)
class ServiceGroup:
    """A group that the service offers: its number in the store, its settings, its address.

    ``address`` is the public address of the group's service, without a slash at its end.
    """

    id: int
    settings: GroupSettings
    address: str

    @property
    def name(self) -> str:
        """The name that stands in the group's address and in its entries' GroupKey."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class Registry:
    """The use cases' surroundings; `process` names this process in the store.

    ``here`` are the names and addresses of this host that lead to the service.
    """

    settings: Settings
    store: Store
    plugins: Plugins
    groups: Mapping[str, ServiceGroup]
    resolve_probe: Callable[[str], str]
    resolve_action: Callable[[str], str]
    process: str
    counter: RegistrationCounter
    here: frozenset[Host]
    establishing: Establishing

    def group(self, name: str) -> ServiceGroup:
        """The group of that name; raises ResourceUnknown."""
        try:
            return self.groups[name]
        except KeyError:
            raise ResourceUnknown(f"there is no service group {name!r} here") from None

    def facts(self, group: ServiceGroup) -> Group:
        """What plug-ins may know of the group."""
        return Group(
            name=group.name,
            min_interval=group.settings.min_interval_millis,
            resolve_probe=self.resolve_probe,
            resolve_action=self.resolve_action,
        )
