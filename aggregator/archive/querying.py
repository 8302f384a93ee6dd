"""XPath over what an archive holds: documents from the store, chunk by chunk, to the evaluator.

No connection is held while something is evaluated, and what is evaluated is in another process,
which is ended where it takes too long. A question that would take long is answered in part, with
the place from which to go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aggregator.archive.asked import Question
from aggregator.archive.document import document
from aggregator.errors import QueryFailed
from aggregator.store.archive_packing import Bases
from aggregator.store.archive_reading import Page, read_page
from aggregator.store.archive_unpacking import Place, Span
from aggregator.view.each import Labelled
from aggregator.view.query_client import QueryClient, QueryRequest
from aggregator.wire import namespaces as ns
from aggregator.wire.times import format_datetime

if TYPE_CHECKING:
    from aggregator.store.engine import Store

#: Documents, and bytes of them, that are evaluated at once.
_CHUNK, _CHUNK_SIZE = 256, 2**20
#: Limits that fewer documents may keep.
_SHRINKING = ("time", "memory", "result")
#: Documents that are looked at, seconds after which no more are, and bytes that are answered.
_LOOKED_AT, _PATIENCE, _ANSWERED = 10_000, 5.0, 8 * 2**20


@dataclass(frozen=True, slots=True)
class Found:
    """The nodes that were found, ready to be sent; `next` is where to go on, None at the end."""

    pieces: tuple[bytes, ...]
    next: Place | None


class ArchiveReader:
    """Answers questions to the archives of a web worker's groups; `url` is where clients find it.

    Any number of threads may share one.
    """

    def __init__(self, store: Store, queries: QueryClient, *, url: str) -> None:
        self._store = store
        self._queries = queries
        self._bases = Bases()
        self._host = urlsplit(url).netloc.replace(":", ".")

    def query(self, group: str, group_id: int, asked: Question, *, caller: str) -> Found:
        """The nodes that an expression finds in each document; raises what evaluating raises."""
        until = monotonic() + _PATIENCE
        pieces: list[bytes] = []
        looked_at = size = 0
        place, most = asked.after, _CHUNK
        while True:
            page = self._page(group_id, asked, place, most)
            try:
                evaluated = self._evaluated(group, asked, page.spans, caller)
            except QueryFailed as error:
                if error.limit not in _SHRINKING or not page.spans:
                    raise
                if pieces and (len(page.spans) == 1 or monotonic() > until):
                    # Who goes on from here is told.
                    return Found(tuple(pieces), place)
                if len(page.spans) == 1:
                    raise _failed(error, page.spans[0]) from error
                # Each time it may have taken all the time that an expression may take.
                most = max(1, len(page.spans) // (16 if monotonic() > until else 2))
                continue
            for span, nodes in evaluated:
                pieces.append(nodes)
                size += len(nodes)
                if len(pieces) >= asked.most or size >= _ANSWERED:
                    return Found(tuple(pieces), span.place)
            if not page.more:
                if asked.after is None and not looked_at and not page.spans:
                    # Who asks wrongly is told, whether there is something to ask of or not.
                    self._evaluate(group, asked, [({}, document(()).decode())], caller)
                return Found(tuple(pieces), None)
            place = page.spans[-1].place
            looked_at += len(page.spans)
            if looked_at >= _LOOKED_AT or monotonic() > until:
                return Found(tuple(pieces), place)

    def _page(self, group_id: int, asked: Question, place: Place | None, most: int) -> Page:
        return self._store.query(
            partial(
                read_page,
                group_id=group_id,
                wanted=asked.wanted,
                after=place,
                most=most,
                budget=_CHUNK_SIZE,
                bases=self._bases,
            )
        )

    def _evaluated(
        self, group: str, asked: Question, spans: list[Span], caller: str
    ) -> list[tuple[Span, bytes]]:
        documents = [(self.labels(group, span), document(span.children).decode()) for span in spans]
        found = self._evaluate(group, asked, documents, caller) if spans else ()
        answered = [block.partition(b"\n") for block in found]
        return [(spans[int(place)], nodes) for place, _, nodes in answered]

    def _evaluate(
        self, group: str, asked: Question, documents: Sequence[Labelled], caller: str
    ) -> Sequence[bytes]:
        request = QueryRequest(
            group=group,
            entry_key=None,
            family="oasis",
            expression=asked.expression,
            namespaces=asked.namespaces,
            sequence=0,
            caller=caller,
            documents=documents,
        )
        return self._queries.query(request).chunks

    def labels(self, group: str, span: Span) -> Mapping[str, str]:
        """The attributes that tell of a node where it was found: as Xindice has them, and ours."""
        first = format_datetime(span.first)
        day, _, time = first.rstrip("Z").partition("T")
        collection = f"/db/archive-service/{self._host}.{group}/{day.replace('-', '.')}"
        return {
            ns.clark(ns.XINDICE, "col"): collection,
            ns.clark(ns.XINDICE, "key"): time.replace(":", "."),
            ns.clark(ns.ARCHIVED, "member"): span.address,
            ns.clark(ns.ARCHIVED, "entry"): span.entry_key,
            ns.clark(ns.ARCHIVED, "first"): first,
            ns.clark(ns.ARCHIVED, "last"): format_datetime(span.last),
            ns.clark(ns.ARCHIVED, "deliveries"): str(span.deliveries),
        }


def _failed(error: QueryFailed, span: Span) -> QueryFailed:
    """The error for one document, which is named: others can be asked for."""
    where = f"the document of {span.address} that came at {format_datetime(span.first)}"
    return QueryFailed(f"{where}: {error.message}", limit=error.limit, causes=error.causes)
