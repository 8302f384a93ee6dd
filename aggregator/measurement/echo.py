"""The service that tells that an endpoint answers."""

from __future__ import annotations

from aggregator.measurement.handling import Event, RequestHandler
from aggregator.measurement.message import Message
from aggregator.measurement.output import Output
from aggregator.wire.nmwg_names import ECHO_EVENT


class Echo:
    """Answers EchoRequest with success.echo, and the request's metadata after it."""

    def init(self, handler: RequestHandler) -> None:
        """Take what is handled here."""
        handler.register_event("EchoRequest", ECHO_EVENT, self)
        # Older clients leave the year of its schema out.
        handler.register_pattern("EchoRequest", "^echo", self)

    def begin(self, message: Message, output: Output) -> None:
        """Nothing is to be done."""

    def end(self, message: Message, output: Output) -> None:
        """Nothing is to be done."""

    def handle(self, event: Event) -> None:
        """Say that it passed."""
        text = "The echo request has passed."
        event.output.result("success.echo", text, event.trigger.metadata_ref)
