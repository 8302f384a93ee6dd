"""What one message carries: rows of a stream, in order, under names that stay the same."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.streams.destinations import Destinations


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one message.

    ``id`` is the same when the same rows are sent again, after a crash too, and no other message's;
    ``row_ids`` are those of its rows, in their order. ``attempt`` counts from 1, anew after a
    restart.
    """

    id: str
    table_key: str
    stream: str
    row_ids: tuple[str, ...]
    to: Destinations
    attempt: int
