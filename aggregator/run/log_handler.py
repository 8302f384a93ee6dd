"""Writes log lines to standard error, and never lets a service wait for who reads them.

Standard error may be a pipe whose reader was stopped. It holds some hundred lines; the next write
would wait, and with it whoever logs: in a web worker that is all clients at once.
"""

from __future__ import annotations

import logging
import select
import sys
from typing import TextIO

#: Milliseconds that a line may wait for a reader that is slow, before it is left out.
_PATIENCE = 50


class PatientHandler(logging.StreamHandler[TextIO]):
    """Leaves out what can't be written in time, and says how much that was once it can write."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream or sys.stderr)
        self.lost = 0
        self._poll: select.poll | None = None
        try:
            number = self.stream.fileno()
        except (AttributeError, OSError, ValueError):
            return  # It is no file of the system's, which never makes one wait.
        self._poll = select.poll()
        self._poll.register(number, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, where that is possible soon."""
        if not self._is_ready(0 if self.lost else _PATIENCE):
            self.lost += 1
            return
        if self.lost:
            lost, self.lost = self.lost, 0
            super().emit(_told(lost))
        super().emit(record)

    def _is_ready(self, patience: int) -> bool:
        return self._poll is None or bool(self._poll.poll(patience))


def _told(lost: int) -> logging.LogRecord:
    text = "%d lines of the log are missing here: nobody read them"
    return logging.LogRecord(__name__, logging.WARNING, "", 0, text, (lost,), None)
