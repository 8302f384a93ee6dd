"""What a notification brings: the same whether it was sent to us or fetched."""

from __future__ import annotations

from aggregator.contract import Collected, Context
from aggregator.errors import CollectError, MalformedRequest
from aggregator.wire.dialects import FAMILIES
from aggregator.wire.namespaces import clark
from aggregator.wire.notify import kept, read_notification, value_change
from aggregator.wire.parse import Limits, parse, serialise

from ._device import MESSAGE, device_state
from ._entries import changed_entries

_ENTRY = frozenset(clark(dialect.sg, "Entry") for dialect in FAMILIES)
_ENDED = frozenset(clark(dialect.rl, "TerminationNotification") for dialect in FAMILIES)
#: What arrives was read within limits before; it only has to be read again.
_LIMITS = Limits(size=2**30, depth=2000, nodes=10_000_000, namespaces=10_000)


def received(message: bytes, *, context: Context) -> Collected:
    """The new value of a property that has changed, the state of a device with what has changed of
    it, or any other message as it is. Raises CollectError for what is no notification."""
    try:
        element = parse(message, limits=_LIMITS)
        found = read_notification(element)
    except MalformedRequest as error:
        raise CollectError(f"the notification: {error.message}", code="wrong-content") from error
    if found.payload.tag in _ENDED:
        # Subscribed to again at the next turn, which is at once.
        return Collected(None, {"manager": ""}, again=0.0)
    if found.payload.tag == MESSAGE and found.payload is not element:
        return Collected(device_state(context.content, element))
    change = value_change(found.payload)
    if change is None:
        return Collected((serialise(found.payload),))
    values = (*(change.old or ()), *(change.new or ()))
    if context.memory.get("tells") == "changes" and all(one.tag in _ENTRY for one in values):
        return Collected(changed_entries(context.content, change))
    return Collected(kept(change.new or ()))
