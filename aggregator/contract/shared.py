"""What plug-ins of both kinds know of a group and of a collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Group:
    """What a plug-in may know of the service group at an Add.

    ``min_interval`` is in milliseconds; ``resolve_probe`` raises ConfigError for a name that may
    not run here and returns the name that ``run_probe`` takes; ``resolve_action`` does the same
    for the actions of triggers.
    """

    name: str
    min_interval: int
    resolve_probe: Callable[[str], str]
    resolve_action: Callable[[str], str] = lambda name: name


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collection brought: the children of AggregatorData, serialised and well-formed.

    Without ``content`` the entry keeps what it has, and sinks hear nothing. ``remember`` is merged
    into what ``Context.memory`` shows at the next collection; small texts only. ``again`` says
    after how many seconds the next turn is due, where that is not as the plan has it.
    """

    content: tuple[bytes, ...] | None
    remember: Mapping[str, str] = field(default_factory=dict)
    again: float | None = None
