"""What changed between two settings and can't take effect while the service runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aggregator.config.setting import settings_of
from aggregator.config.settings import SECTIONS, Settings


def changed_needing_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return the dotted names of settings that differ and need the service to be started again."""
    return tuple(
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key, declared in settings_of(section).items()
        if declared.restart and getattr(getattr(old, name), key) != getattr(getattr(new, name), key)
    )


def restart_values(settings: Settings) -> dict[str, Any]:
    """Return the values, by dotted name, of the settings that need a restart."""
    return {
        f"{name}.{key}": getattr(getattr(settings, name), key)
        for name, section in SECTIONS.items()
        for key, declared in settings_of(section).items()
        if declared.restart
    }


def with_restart_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with what `restart_values` said when the service was started.

    A value may have been text in between: it gets the type that it has in `settings`.
    """
    for dotted, value in values.items():
        section, _, key = dotted.partition(".")
        part = getattr(settings, section)
        typed = type(getattr(part, key))(value)
        settings = replace(settings, **{section: replace(part, **{key: typed})})
    return settings
