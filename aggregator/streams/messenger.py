"""What a messenger is: that through which `do_updates` sends."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from aggregator.streams.batch import Batch
from aggregator.streams.destinations import Destinations, Names


class Messenger(Protocol):
    """Sends what a formatter made. Nodes, groups and docks are as they were given to `stream`.

    Returns when the message is delivered; whatever it raises, the same rows are sent again later.
    """

    def send(self, message: Any, nodes: Names, groups: Names, docks: Names, /) -> object:
        """Deliver a message."""


#: A function that does what `Messenger.send` does.
SendFunction = Callable[[Any, Names, Names, Names], object]


class BatchMessenger(ABC):
    """A messenger that is told, beside the message, which rows it carries.

    So it can name the message to its receiver, who thereby knows what it has already.
    """

    @abstractmethod
    def send_batch(self, message: Any, batch: Batch) -> None:
        """Deliver a message, or raise MessageNotSent; MessageRefused where it is at fault."""

    def send(self, message: Any, nodes: Names, groups: Names, docks: Names) -> None:
        """Deliver a message that is of no stream, under a name of its own."""
        to = Destinations(nodes, groups, docks)
        self.send_batch(message, Batch(uuid.uuid4().hex, "", "", (), to, 1))


def deliver(messenger: Messenger | SendFunction, message: Any, batch: Batch) -> None:
    """Send a message in the way in which the messenger takes it."""
    if isinstance(messenger, BatchMessenger):
        messenger.send_batch(message, batch)
        return
    # Asked for, not looked for: whoever passes calls on to another has no method of the name.
    send: Any = getattr(messenger, "send", messenger)
    if not callable(send):
        raise TypeError(
            f"a messenger has a method send, or is a function; given was {type(messenger).__name__}"
        )
    send(message, batch.to.nodes, batch.to.groups, batch.to.docks)
