"""The declaration of one setting: a dataclass field that carries all that is said about it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from aggregator.config.kinds import Kind

T = TypeVar("T")

_KEY = "aggregator.setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting.

    ``default`` computes the default from the environment; ``default_text`` shows it to people.
    ``restart`` says that a change takes effect only when the service is started again.
    """

    kind: Kind[Any]
    help: str
    default: Callable[[Mapping[str, str]], Any]
    default_text: str
    restart: bool


def setting(
    default: T, kind: Kind[T], help: str, *, restart: bool = False, default_text: str = ""
) -> T:
    """Declare a field of a section; ``default`` has passed through ``kind`` before it is used."""
    return derived(
        lambda _: copy.copy(default),
        kind,
        help,
        restart=restart,
        default_text=default_text or kind.show(default),
    )


def derived(
    default: Callable[[Mapping[str, str]], T],
    kind: Kind[T],
    help: str,
    *,
    default_text: str,
    restart: bool = False,
    secret: bool = False,
) -> T:
    """Declare a field whose default depends on the environment, or whose value is a secret."""
    declared = Setting(kind, help, default, default_text, restart)
    made: T = field(
        default_factory=lambda: default(os.environ),
        repr=not secret,
        metadata={_KEY: declared},
    )
    return made


def settings_of(section: type[Any]) -> dict[str, Setting]:
    """Return the settings that a section declares, in their order."""
    return {
        declared.name: declared.metadata[_KEY]
        for declared in fields(section)
        if _KEY in declared.metadata
    }
