"""The entries of a group that is a member: what is kept of them, brought up to date by changes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aggregator.wire.notify import ValueChange
from aggregator.wire.parse import serialise

#: The key of an entry stands in its ServiceGroupEntryEPR, which comes first in it.
_KEY = re.compile(rb"<(?:[^\s<>:/]+:)?EntryKey(?:\s[^<>]*)?>([^<]*)<")


def changed_entries(content: Sequence[bytes], change: ValueChange) -> tuple[bytes, ...]:
    """`content` with the entries that came or changed in place of what they were, and without
    those that went: an entry that is among the old values alone has gone."""
    kept = {_key(entry): entry for entry in content}
    new = {_key(entry): entry for entry in map(serialise, change.new or ())}
    for entry in map(serialise, change.old or ()):
        if (key := _key(entry)) not in new:
            kept.pop(key, None)
    # A changed one keeps its place.
    kept.update(new)
    return tuple(kept.values())


def _key(entry: bytes) -> bytes:
    found = _KEY.search(entry)
    return found[1] if found else entry
