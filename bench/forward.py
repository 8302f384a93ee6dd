"""Whether what a reader is shown of changing members is whole, and only ever gets newer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

from bench.changing import MARK
from bench.entries import GLUE

_INSTANT = re.compile(re.escape(MARK[0].partition(">")[2]) + r"([0-9]+\.[0-9]+)")


@dataclass(slots=True)
class Forward:
    """Takes replies in the order in which they were asked for, each after the last had come.

    `count` is how many entries each must have. Raises RuntimeError where one is not as it should
    be.
    """

    count: int
    replies: int = 0
    _first: dict[str, float] = field(default_factory=dict)
    _last: dict[str, float] = field(default_factory=dict)

    def take(self, content: bytes) -> None:
        """Look at a reply."""
        shown = marks(content)
        if len(shown) != self.count:
            raise RuntimeError(f"{len(shown)} of {self.count} entries are there: {content[:500]!r}")
        back = [name for name, mark in shown.items() if mark < self._last.get(name, 0.0)]
        if back:
            raise RuntimeError(f"{len(back)} entries were newer before: {back[:3]}")
        self._first = self._first or shown
        self._last = shown
        self.replies += 1

    def still(self) -> list[str]:
        """The members that were never shown with anything newer than at first."""
        return [name for name, mark in self._first.items() if self._last[name] <= mark]


def marks(content: bytes) -> dict[str, float]:
    """By member, the instant that it bears in a reply; RuntimeError where one bears none."""
    found = {}
    for cluster in etree.fromstring(content).iter(f"{{{GLUE}}}Cluster"):
        mark = _INSTANT.match(cluster.findtext(f"{{{GLUE}}}Description") or "")
        if mark is None:
            raise RuntimeError(f"a member without a mark: {etree.tostring(cluster)[:500]!r}")
        found[str(cluster.get(f"{{{GLUE}}}Name"))] = float(mark[1])
    return found
