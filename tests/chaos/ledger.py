"""What clients know of their registrations, and which replies of the service contradict it.

A registration's state is one number: its TerminationTime, `NEVER`, or `GONE`. What a client knows
is the set of states that are possible at an instant: one while no request is under way, one more
from the moment a request is sent, one again when its reply has come. Where no reply comes both stay
possible until a later reply shows which it is; from then on it must stay so.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.soap import EntryReference, Family

NEVER = math.inf
GONE = -math.inf
#: Microseconds after which a request that lost its server has no effect any more.
_SETTLED = 1_000_000


def now() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Known:
    """What the one client that owns a registration knows of it."""

    address: str
    family: Family
    reference: EntryReference | None = None
    #: From which instant on which states were possible.
    history: list[tuple[float, frozenset[float]]] = field(
        default_factory=lambda: [(-math.inf, frozenset((GONE,)))]
    )
    pending: bool = False

    @property
    def states(self) -> frozenset[float]:
        """The states that are possible now."""
        return self.history[-1][1]

    @property
    def in_doubt(self) -> bool:
        """Whether no reply told yet what became of the last request."""
        return len(self.states) > 1 and not self.pending

    def between(self, began: float, ended: float) -> frozenset[float]:
        """Every state that was possible at some instant from `began` to `ended`."""
        first = max(i for i, (since, _) in enumerate(self.history) if since <= began)
        return frozenset().union(
            *(states for since, states in self.history[first:] if since <= ended)
        )


class Ledger:
    """The registrations of one group, and what was found wrong with replies about them.

    Methods may be called from any thread. `slack` is how far, in microseconds, the clocks of the
    clients and of the store may differ.
    """

    def __init__(self, *, slack: int = 0) -> None:
        self.violations: list[str] = []
        self.doubts = 0
        self._slack = slack
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()

    @property
    def registrations(self) -> list[Known]:
        """All that was ever asked for."""
        with self._lock:
            return list(self._known.values())

    def wrong(self, what: str) -> None:
        """Note a violation."""
        with self._lock:
            self.violations.append(what)

    def open(self, address: str, family: Family) -> Known:
        """A registration that is about to be asked for."""
        with self._lock:
            known = self._known[address] = Known(address, family)
        return known

    def sending(self, known: Known, outcome: float) -> None:
        """A request is about to be sent that gives the registration the state `outcome`."""
        with self._lock:
            known.pending = True
            known.history.append((now(), known.states | {outcome}))

    def acknowledged(self, known: Known, outcome: float) -> None:
        """Its reply has come."""
        with self._lock:
            known.pending = False
            known.history.append((now(), frozenset((outcome,))))

    def refused(self, known: Known) -> None:
        """It was not sent, or refused: all is as before."""
        with self._lock:
            known.pending = False
            known.history.append((now(), known.history[-2][1]))

    def unanswered(self, known: Known) -> None:
        """No reply came."""
        with self._lock:
            known.pending = False
            self.doubts += 1
            known.history.append((now(), known.states))

    def saw_group(
        self, seen: Collection[str], began: int, ended: int, *, since: int | None = None
    ) -> None:
        """A reply listed the members `seen`; it was asked for and read at these instants.

        One that says so may show what was true `since` before; what has expired it may not show.
        """
        since = began if since is None else since
        present = set(seen)
        with self._lock:
            if len(present) != len(seen):
                doubled = sorted(address for address in present if list(seen).count(address) > 1)
                self.violations.append(f"listed more than once: {doubled}")
            if strangers := present - self._known.keys():
                self.violations.append(f"nobody added {sorted(strangers)}")
            for known in self._known.values():
                is_there = known.address in present
                self._judge(known, is_there, None, began=began, ended=ended, since=since)

    def saw_one(
        self,
        known: Known,
        termination: float | None,
        began: int,
        ended: int,
        *,
        since: int | None = None,
    ) -> None:
        """A reply gave the TerminationTime of a registration; None: it said that there is none."""
        since = began if since is None else since
        with self._lock:
            present = termination is not None
            self._judge(known, present, termination, began=began, ended=ended, since=since)

    def _judge(
        self,
        known: Known,
        present: bool,
        value: float | None,
        *,
        began: int,
        ended: int,
        since: int,
    ) -> None:
        states = known.between(since, ended)
        if present:
            possible = {state for state in states if state > began - self._slack}
        else:
            possible = {state for state in states if state <= ended + self._slack}
        if value is not None:
            possible &= {value}
        if not possible:
            kind = ("lost", "resurrected or served late")[present]
            self.violations.append(
                f"{kind}: {known.address}, possible {sorted(states)}, shown {value}, asked {began} "
                f"to {ended}, history {known.history[-4:]}"
            )
        elif known.in_doubt and known.history[-1][0] < since - _SETTLED:
            known.history.append((ended, frozenset(possible)))
