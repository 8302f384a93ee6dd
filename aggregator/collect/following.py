"""Following the store: which entries there are to collect, and which came and went since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aggregator.store.collection import Assignment, load_assignment, load_assignments
from aggregator.store.engine import Store
from aggregator.store.groups import sequences
from aggregator.store.reading import changes_since

T = TypeVar("T")

#: Assignments of one page; reading a page holds the interpreter for some milliseconds.
_PAGE = 200


@dataclass(frozen=True, slots=True)
class News:
    """What changed: entries that have a source and are new, and the ids of those that are gone."""

    added: Sequence[Assignment]
    removed: Sequence[int]


class Asking:
    """Asks the store in a thread of its own, so that it does not hold up the loop; questions are
    asked one after the other."""

    def __init__(self, store: Store, *, thread: str) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=thread)

    def close(self) -> None:
        """Read no more; does not wait for what is being read."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def ask(self, question: Callable[[Any], T]) -> T:
        """What a question to the store brings."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._store.query, question)


class Following(Asking):
    """Reads assignments, and by the groups' changes what became of them."""

    def __init__(self, store: Store, *, shards: int) -> None:
        super().__init__(store, thread="collector-reading")
        self._shards = shards
        self._seen: dict[int, int] = {}

    async def begin(self) -> None:
        """Remember where the changes stand; pages read from now on hold what came before."""
        self._seen = await self.ask(sequences)

    async def page(self, held: Collection[int], *, after: int) -> list[Assignment]:
        """The next assignments of these shards, by id; none when all were read."""
        return await self.ask(
            partial(load_assignments, shards=held, after_id=after, limit=_PAGE, of=self._shards)
        )

    async def load(self, entries: Collection[int]) -> list[Assignment]:
        """The assignments of these entries; left out are those that are gone."""
        return await self.ask(partial(self._load, entries=entries))

    async def news(self) -> News | None:
        """What changed since the last call or `begin`; None where everything must be read anew."""
        return await self.ask(self._news)

    def _news(self, connection: Any) -> News | None:
        seen = dict(self._seen)
        last: dict[int, str] = {}
        for group, sequence in sequences(connection).items():
            if sequence == seen.get(group, 0):
                continue
            changes = changes_since(connection, group, seen.get(group, 0))
            if changes is None:
                return None
            for change in changes:
                seen[group] = change.sequence
                if change.kind in ("added", "removed"):
                    last[change.entry] = change.kind
        added = [entry for entry, kind in last.items() if kind == "added"]
        news = News(
            self._load(connection, entries=added),
            [entry for entry, kind in last.items() if kind == "removed"],
        )
        self._seen = seen
        return news

    def _load(self, connection: Any, *, entries: Collection[int]) -> list[Assignment]:
        loaded = (load_assignment(connection, entry, of=self._shards) for entry in entries)
        return [assignment for assignment in loaded if assignment is not None]
