"""Messages handed to the services of an endpoint, by message type and event type.

For a pair of both the handler of exactly this pair is looked for, then one whose expression matches
the event type, then that of the message type.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Protocol

from aggregator.errors import NmwgError
from aggregator.measurement.chains import Chain, Chains
from aggregator.measurement.message import Message, Trigger
from aggregator.measurement.output import Output, TimeIsUp
from aggregator.wire.nmwg_metadata import KEY, event_types, parameter_blocks
from aggregator.wire.nmwg_metadata import value_of as value
from aggregator.wire.parse import Element

log = logging.getLogger(__name__)

INTERNAL = "error.common.internal_error"
_NOT_SUPPORTED = "error.common.event_type_not_supported"


@dataclass(slots=True)
class Event:
    """One data element of a message, and what it asks about.

    `is_echoed` says whether the request's metadata follows in the reply; a service may switch it
    off. `may_store` says whether whoever sent it is known as one who may store.
    """

    output: Output
    message: Message
    event_type: str
    chain: Chain
    trigger: Trigger
    is_echoed: bool = True
    may_store: bool = False


class Service(Protocol):
    """What handles events of an endpoint; raises NmwgError for what it can't do."""

    def begin(self, message: Message, output: Output) -> None:
        """Called before the events of a message of a type that the service handles."""

    def end(self, message: Message, output: Output) -> None:
        """Called after them, whatever came of them."""

    def handle(self, event: Event) -> None:
        """Add the answer to an event to its output."""


@dataclass(slots=True)
class RequestHandler:
    """The services of one endpoint, and what each of them handles."""

    _messages: dict[str, Service] = field(default_factory=dict)
    _events: dict[tuple[str, str], Service] = field(default_factory=dict)
    _patterns: dict[str, list[tuple[re.Pattern[str], Service]]] = field(default_factory=dict)

    def register_message(self, type: str, service: Service) -> bool:
        """Hand all messages of a type to a service; False where another has them already."""
        return self._messages.setdefault(type, service) is service

    def register_event(self, type: str, event_type: str, service: Service) -> bool:
        """The same for one event type in messages of a type."""
        return self._events.setdefault((type, event_type), service) is service

    def register_pattern(self, type: str, pattern: str, service: Service) -> bool:
        """The same for all event types that an expression matches from their beginning."""
        known = self._patterns.setdefault(type, [])
        if any(one.pattern == pattern for one, _ in known):
            return False
        known.append((re.compile(pattern), service))
        return True

    def handle(self, message: Message, output: Output, *, may_store: bool = False) -> None:
        """Answer a message; raises NmwgError where the whole of it can't be, and TimeIsUp."""
        services = self._services(message)
        chains = Chains(message, look_at_the_clock=output.look_at_the_clock)
        known = [one for one in message.triggers if one.metadata_ref in message.metadata]
        if not known:
            raise NmwgError(
                "error.common.no_metadata_data_pair",
                "There were no metadata/data pairs found in the message",
            )
        for service in services:
            service.begin(message, output)
        try:
            for trigger in message.triggers:
                self._answer(message, trigger, chains, output, may_store=may_store)
        finally:
            for service in services:
                service.end(message, output)

    def _services(self, message: Message) -> list[Service]:
        """All that handle something in messages of this type."""
        if not message.type:
            raise _action_not_supported("No message type specified")
        found = [one for type, one in self._messages.items() if type == message.type]
        found += [one for (type, _), one in self._events.items() if type == message.type]
        found += [one for _, one in self._patterns.get(message.type, ())]
        if not found:
            raise _action_not_supported(f"Messages of type {message.type} are unsupported")
        return list({id(one): one for one in found}.values())

    def _answer(
        self,
        message: Message,
        trigger: Trigger,
        chains: Chains,
        output: Output,
        *,
        may_store: bool,
    ) -> None:
        """One pair; what goes wrong in it stops no other."""
        mark = output.mark()
        doing = "parsing"
        try:
            chain = chains.of(trigger)
            doing = "servicing"
            event_type, service = self._service(message.type, chain)
            event = Event(output, message, event_type, chain, trigger, may_store=may_store)
            service.handle(event)
            if event.is_echoed:
                output.element(chain.metadata)
        except NmwgError as error:
            output.back_to(mark)
            output.result(error.event_type, str(error), trigger.metadata_ref)
        except TimeIsUp:
            raise
        except Exception as error:
            if output.is_new_trouble(repr(error)):
                log.exception("bug in answering %s", message.type)
            output.back_to(mark)
            text = f"An internal error occurred while {doing} this metadata/data block"
            output.result(INTERNAL, text, trigger.metadata_ref)

    def _service(self, type: str, chain: Chain) -> tuple[str, Service]:
        """Who handles what a chain asks for, and for which of its event types."""
        of_key = _key_event_types(chain.metadata)
        asked = of_key or event_types(chain.metadata)
        for event_type in asked or [""]:
            if found := self._handler(type, event_type):
                return event_type, found
        shown = asked[0] if asked else ""
        if of_key:
            text = f'Event type {shown} not supported for message of type "{type}"'
        elif asked:
            text = f'No supported event types for message of type "{type}"'
        else:
            text = f'Event type "" is not yet supported for messages with type "{type}"'
        raise NmwgError(_NOT_SUPPORTED, text)

    def _handler(self, type: str, event_type: str) -> Service | None:
        if exact := self._events.get((type, event_type)):
            return exact
        for pattern, service in self._patterns.get(type, ()):
            if event_type and pattern.match(event_type):
                return service
        return self._messages.get(type)


def _key_event_types(metadata: Element) -> list[str]:
    return [
        value(one)
        for key in metadata.iterchildren(KEY)
        for block in parameter_blocks(key)
        for one in block.iterchildren("{*}parameter")
        if one.get("name") == "eventType" and value(one)
    ]


def _action_not_supported(text: str) -> NmwgError:
    return NmwgError("error.common.action_not_supported", text)
