"""Topics of events, the patterns that subscribers bind with, and how the two are matched."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.errors import EventNotReady

#: What stands for an origin that was never given.
UNKNOWN = "unknown"
#: Bytes of a routing key, see AMQP 0-9-1, section 4.2.5.3.
LONGEST = 255
_ANY_WORD, _ANY_WORDS = "*", "#"


def topic(event_id: int | str | None, origin: str | None) -> str:
    """The topic that an event is published to: ``1001.ucsd``.

    Raises EventNotReady, which is an AssertionError, unless both are given.
    """
    if not event_id:
        raise EventNotReady("no event_id: this class is abstract, derive one that has an event_id")
    if not origin:
        raise EventNotReady("no origin: say where the event comes from")
    return checked(f"{event_id}.{origin}")


def binding(event_id: int | str | None = None, origin: str | None = None) -> str:
    """The pattern of events to receive; what is not given matches anything: ``*.#``, ``1001.#``."""
    return checked(f"{event_id or _ANY_WORD}.{origin or _ANY_WORDS}")


def checked(key: str) -> str:
    """The key; raises ValueError where it is longer than a broker takes."""
    length = len(key.encode(errors="replace"))
    if length > LONGEST:
        raise ValueError(f"the topic {key!r:.60} has {length} bytes; at most {LONGEST} are sent")
    return key


def matches(pattern: str, key: str) -> bool:
    """Whether a topic exchange delivers `key` to a queue that is bound with `pattern`.

    Words are separated by dots; ``*`` stands for exactly one word, ``#`` for any number of them,
    none included.
    """
    # Which beginnings of the key are matched by the words of the pattern so far, by their length.
    words = key.split(".")
    reached = {0}
    for wanted in pattern.split("."):
        reached = _after(wanted, reached, words)
        if not reached:
            return False
    return len(words) in reached


def _after(wanted: str, reached: set[int], words: Sequence[str]) -> set[int]:
    if wanted == _ANY_WORDS:
        return set(range(min(reached), len(words) + 1))
    return {
        place + 1 for place in reached if place < len(words) and wanted in (_ANY_WORD, words[place])
    }
