"""Requests that wait until the group they ask about is known as of their time."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.errors import StoreUnavailable
from aggregator.view.asking import Asking
from aggregator.view.group_documents import GroupDocuments

_DONE = object()


class Preparing:
    """Brings a group up in rounds, each for all who asked before it began."""

    def __init__(self, documents: GroupDocuments) -> None:
        self.documents = documents
        self._next: list[Asking] = []
        self._served: list[Asking] = []
        self._round: Iterator[None] | None = None
        self._trouble: StoreUnavailable | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the trees may be half patched."""
        return self._round is not None

    @property
    def has_work(self) -> bool:
        """Whether `step` has something to do."""
        return self._round is not None or bool(self._next)

    def ask(self, asking: Asking) -> None:
        """Take part in the next round."""
        self._next.append(asking)

    def drop(self, asking: Asking) -> None:
        """Take part no more."""
        for asked in (self._next, self._served):
            if asking in asked:
                asked.remove(asking)

    def all(self) -> list[Asking]:
        """Everyone who waits."""
        return self._served + self._next

    def step(self) -> list[tuple[Asking, StoreUnavailable | None]]:
        """Go on with the round, or begin one; at its end those it served, or why it did not."""
        if self._round is None:
            self._served, self._next = self._next, []
            self._round = self._rounds()
        if next(self._round, _DONE) is not _DONE:
            return []
        self._round = None
        done, self._served = self._served, []
        return [(asking, self._missing(asking)) for asking in done]

    def _rounds(self) -> Iterator[None]:
        families = {asking.request.family for asking in self._served}
        self._trouble = None
        try:
            yield from self.documents.bring_up(families)
        except StoreUnavailable as error:
            self._trouble = error
            yield from self.documents.patch(families)

    def _missing(self, asking: Asking) -> StoreUnavailable | None:
        # A web worker without the store answers from what it knows; so may we, if we know it too.
        if self.documents.view.sequence >= max(0, asking.request.sequence):
            return None
        return self._trouble or StoreUnavailable(
            "the query evaluator sees an older state of the store than the request"
        )
