"""Whether the groups of a configuration can be offered with the plug-ins that are there."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.config import Clash, Settings, unknown
from aggregator.errors import ConfigError
from aggregator.registry.plugins import Plugins


def not_offered(settings: Settings, plugins: Plugins) -> Iterator[Clash]:
    """What is wrong with groups that name a sink or source that nobody offers."""
    sources = {source.name for source in plugins.sources.values()}
    for name, group in settings.groups.items():
        for wanted, known, kind in (
            (group.sinks, set(plugins.sinks), "sink"),
            (group.sources, sources, "source"),
        ):
            for position, plugin in enumerate(wanted):
                if plugin not in known:
                    path = ("groups", name, f"{kind}s")
                    yield Clash((path,), unknown(f'{kind} "{plugin}"', plugin, known), (position,))


def check_groups(settings: Settings, plugins: Plugins) -> None:
    """Raise ConfigError for a group that names a sink or source that nobody offers."""
    for clash in not_offered(settings, plugins):
        raise ConfigError(clash.text, element=".".join(clash.paths[0]))
