"""How entries are divided among collectors.

Every entry has a slot, by its key; with `n` shards, slot `s` belongs to shard `s % n`. So the
number of shards may change between two starts without a row being touched.
"""

from __future__ import annotations

from zlib import crc32

#: Slots that entries fall into; no more shards than these are of use.
SLOTS = 4096


def slot_of(key: str) -> int:
    """The slot of the entry with this key."""
    return crc32(key.encode()) % SLOTS
