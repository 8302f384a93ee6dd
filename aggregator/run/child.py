"""One role's process as the supervisor sees it: started, ended, started again when it died."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from functools import partial

from aggregator.run.context import RunContext
from aggregator.run.forking import Forked, fork
from aggregator.run.role import play

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
#: A process that ran this long before it died is started again at once.
_STEADY = 10.0


@dataclass(slots=True)
class Child:
    """A role, and the process that plays it while there is one."""

    role: str
    context: RunContext
    process: Forked | None = None
    started: float = 0.0
    next_start: float = 0.0
    pause: float = field(default=0.0)

    def start(self) -> None:
        """Start the role's process; it ends when this one does."""
        self.process = start(self.role, self.context)
        self.started = time.monotonic()

    def died(self) -> int | None:
        """The return code of a process that has ended by itself; plans its next start."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.process = None
        now = time.monotonic()
        if now - self.started >= _STEADY:
            self.pause = 0.0
        self.next_start = now + self.pause
        self.pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, self.pause * 2))
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None:
            self.process.send(number)

    def wait(self, deadline: float) -> bool:
        """Wait until the process has ended or the deadline (monotonic) has passed."""
        return self.process is None or self.process.wait(deadline)


def start(role: str, context: RunContext) -> Forked:
    """Start a process that plays a role, and ends when this one does."""
    return fork(
        partial(play, role, context, parent=os.getpid()),
        name=f"mds-{role}",
        keep=context.inherited(role=role),
    )
