"""A function that is given each message with the rows that it carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aggregator.streams.batch import Batch
from aggregator.streams.messenger import BatchMessenger


class FunctionMessenger(BatchMessenger):
    """Calls a function with the message and its Batch; the message is delivered when it returns.

    A function that needs no more than message, nodes, groups and docks may be given to
    `do_updates` as it is.
    """

    def __init__(self, function: Callable[[Any, Batch], object]) -> None:
        self._function = function

    def send_batch(self, message: Any, batch: Batch) -> None:
        """See BatchMessenger."""
        self._function(message, batch)
