"""Subscribers that are built and activated in one go."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from aggregator.events.subscriber import EventSubscriber, Handler, Subscriber

S = TypeVar("S", bound=Subscriber)


class SubscriberFactory(Generic[S]):
    """Builds subscribers of one type that share what is given here; `build` may say otherwise."""

    def __init__(
        self,
        *,
        subscriber_type: type[S] = EventSubscriber,  # type: ignore[assignment]
        handler: Handler | None = None,
        **kwargs: Any,
    ) -> None:
        self.subscriber_type = subscriber_type
        self.handler = handler
        self._kwargs = kwargs

    def build(
        self,
        *,
        subscriber_type: type[S] | None = None,
        handler: Handler | None = None,
        **kwargs: Any,
    ) -> S:
        """A subscriber that receives already; `kwargs` are those of its class, such as event_id.

        The handler is there before the first event is. Raises what activating it raises.
        """
        made = (subscriber_type or self.subscriber_type)(**{**self._kwargs, **kwargs})
        chosen = handler or self.handler
        if chosen is not None:
            made.on_data = chosen
        made.activate()
        return made
