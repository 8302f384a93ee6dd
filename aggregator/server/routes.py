"""Which resource a path names: ``/wsrf/services/NAME``, ``NAMEEntry`` and ``NAMEEntry/KEY``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from aggregator.errors import ResourceUnknown
from aggregator.server.request import Kind, Target
from aggregator.server.site import Site
from aggregator.store.consumers import CONSUMER_PATH
from aggregator.store.pull_points import PULL_POINT_PATH

SERVICES = "/wsrf/services/"
ENTRY_SUFFIX = "Entry"
MANAGER = "SubscriptionManagerService"
PULL_POINT = PULL_POINT_PATH.removeprefix(SERVICES).rstrip("/")
TRIGGERS = "TriggerService"
CONSUMER = CONSUMER_PATH.removeprefix(SERVICES).rstrip("/")

OTHER_SERVICES: Mapping[Kind, str] = {
    "consumer": CONSUMER,
    "subscription": MANAGER,
    "pullpoint": PULL_POINT,
    "triggers": TRIGGERS,
}
"""The services that belong to no group, by the kind of what they have below them."""

_Group = TypeVar("_Group")
#: So many groups are named to who asked for none of them.
_TOLD = 50


def parse_target(path: str, groups: Mapping[str, _Group]) -> Target | None:
    """The resource that a path names, None where it names none of ours."""
    if not path.startswith(SERVICES):
        return None
    name, _, key = path[len(SERVICES) :].rstrip("/").partition("/")
    if name in groups and not key:
        return Target("group", name)
    for kind, service in OTHER_SERVICES.items():
        if name == service:
            return Target(kind, "", key)
    group = name.removesuffix(ENTRY_SUFFIX)
    if group != name and group in groups and "/" not in key:
        return Target("entry", group, key)
    return None


def service_target(site: Site, path: str) -> Target:
    """The resource that a SOAP request addresses; raises ResourceUnknown, naming the groups."""
    target = parse_target(path, site.registry.groups)
    if target is None:
        names = _named(site.registry.groups)
        raise ResourceUnknown(f"no service is at {path[:200]!r}; the service groups are {names}")
    return target


def _named(groups: Iterable[str]) -> str:
    """The groups' paths, as many as one likes to read."""
    paths = [SERVICES + name for name in sorted(groups)]
    more = len(paths) - _TOLD
    return ", ".join(paths[:_TOLD]) + (f" and {more} more" if more > 0 else "")
