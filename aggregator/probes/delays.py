"""One-way delays of a sample, and what is told of them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

BUCKET_WIDTH = 0.0001
#: What the archives of the field hold as a bucket's number.
_MOST = 2**31 - 1


@dataclass(slots=True)
class Direction:
    """What became of the packets that went one way: of those that came twice, the first."""

    delays: list[float] = field(default_factory=list)
    ttls: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    duplicates: int = 0

    def add(self, delay: float, ttl: int | None, error: float | None) -> None:
        """Note a packet that arrived."""
        self.delays.append(delay)
        if ttl is not None:
            self.ttls.append(ttl)
        if error is not None:
            self.errors.append(error)

    def told(self, sent: int) -> dict[str, str]:
        """The attributes of a datum, without its times."""
        found = {}
        if self.delays:
            found["min_delay"] = f"{min(self.delays):.9f}"
            found["max_delay"] = f"{max(self.delays):.9f}"
        if self.ttls:
            found |= {"minTTL": str(min(self.ttls)), "maxTTL": str(max(self.ttls))}
        found |= {"sent": str(sent), "loss": str(sent - len(self.delays))}
        found["duplicates"] = str(self.duplicates)
        if self.errors:
            found["maxError"] = f"{max(self.errors):.9f}"
        return found

    def buckets(self) -> list[tuple[int, int]]:
        """How many delays begin with each multiple of the bucket width, in order.

        Delays that no bucket's number reaches, of a clock that is days off, are in none.
        """
        counts = Counter(math.floor(delay / BUCKET_WIDTH) for delay in self.delays)
        return sorted(one for one in counts.items() if abs(one[0]) <= _MOST)
