"""What a source sets up elsewhere inside of an Add: begun here, done in a loop of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from aggregator.contract import AggregatorSource, SourceType
from aggregator.model import Registration


def is_established(source: SourceType) -> bool:
    """Whether a source sets something up that must be undone when the entry goes."""
    return type(source.source).establish is not AggregatorSource.establish


class Establishment(Protocol):
    """Something that is being set up for an Add under way."""

    @property
    def future(self) -> Future[Mapping[str, str]]:
        """What to remember, or why it failed: ConfigError, CollectError, StoreUnavailable."""

    @property
    def tokens(self) -> Sequence[str]:
        """The addresses for notifications that were opened for it."""

    def undo(self) -> None:
        """Undo it, whatever has become of it; nobody waits for that."""


class Establishing(Protocol):
    """Sets up what sources need, a few at a time and bounded in time.

    ``patience`` is after how many seconds an establishment has ended in any case.
    """

    @property
    def patience(self) -> float:
        """In seconds."""

    def start(
        self, source: SourceType, registration: Registration, *, group_id: int
    ) -> Establishment:
        """Begin to set up what a registration's source needs."""
