"""Sources and sinks that are found: shipped modules and other packages' entry points, alike."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import TypeVar

from aggregator.contract import SinkType, SourceType
from aggregator.errors import ConfigError

#: The packages whose modules are plug-ins; entry point groups have the same names.
SOURCES = "aggregator.sources"
SINKS = "aggregator.sinks"

PluginType = TypeVar("PluginType", SourceType, SinkType)
#: A plug-in and where it came from, for messages.
Found = tuple[PluginType, str]


@dataclass(frozen=True, slots=True)
class Plugins:
    """What was found: sources by the Clark name of each element they claim, sinks by name."""

    sources: Mapping[str, SourceType]
    sinks: Mapping[str, SinkType]

    def source(self, name: str) -> SourceType | None:
        """The source of that name, as plans and settings give it; None where there is none."""
        return next((found for found in self.sources.values() if found.name == name), None)


def find_plugins() -> Plugins:
    """Find every plug-in, shipped and installed.

    Raises ConfigError, naming both, where two sources claim one element or two plug-ins have one
    name, and naming the module or entry point that offers no plug-in.
    """
    return gather(
        sources=[*_shipped(SOURCES, SourceType), *_installed(SOURCES, SourceType)],
        sinks=[*_shipped(SINKS, SinkType), *_installed(SINKS, SinkType)],
    )


def gather(*, sources: Sequence[Found[SourceType]], sinks: Sequence[Found[SinkType]]) -> Plugins:
    """The plug-ins with their origins, put in order; raises ConfigError for a double claim."""
    _by_names("source", sources)
    by_element: dict[str, SourceType] = {}
    origins: dict[str, str] = {}
    for source, origin in sources:
        for element in source.elements:
            if element in by_element:
                raise ConfigError(
                    f"{element} is claimed by two sources, {by_element[element].name} "
                    f"({origins[element]}) and {source.name} ({origin}); uninstall one of them"
                )
            by_element[element], origins[element] = source, origin
    return Plugins(MappingProxyType(by_element), MappingProxyType(_by_names("sink", sinks)))


def _by_names(kind: str, found: Sequence[Found[PluginType]]) -> dict[str, PluginType]:
    named: dict[str, PluginType] = {}
    origins: dict[str, str] = {}
    for plugin, origin in found:
        if plugin.name in named:
            raise ConfigError(
                f"two {kind}s are named {plugin.name!r}, one of {origins[plugin.name]}, "
                f"one of {origin}; uninstall one of them"
            )
        named[plugin.name], origins[plugin.name] = plugin, origin
    return named


def _shipped(package: str, kind: type[PluginType]) -> Iterator[Found[PluginType]]:
    folder = importlib.import_module(package)
    for module in sorted(info.name for info in pkgutil.iter_modules(folder.__path__)):
        if not module.startswith("_"):
            origin = f"{package}.{module}"
            yield _plugin(importlib.import_module(origin), kind, origin=origin), origin


def _installed(group: str, kind: type[PluginType]) -> Iterator[Found[PluginType]]:
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value)):
        origin = f"entry point {entry.name} = {entry.value}"
        if entry.dist is not None:
            origin += f" of {entry.dist.name}"
        yield _plugin(_load(entry, origin), kind, origin=origin), origin


def _load(entry: EntryPoint, origin: str) -> object:
    try:
        return entry.load()
    except Exception as error:
        # A foreign package may raise anything at import; the start must name the culprit.
        raise ConfigError(f"{origin} can't be loaded: {error!r}") from error


def _plugin(loaded: object, kind: type[PluginType], *, origin: str) -> PluginType:
    """The plug-in that a module ends with, or that an entry point names itself."""
    plugin = getattr(loaded, "PLUGIN", None) if isinstance(loaded, ModuleType) else loaded
    if not isinstance(plugin, kind):
        raise ConfigError(
            f"{origin} offers {type(plugin).__name__}; its module must end with "
            f"PLUGIN = {kind.__name__}(...)"
        )
    return plugin
