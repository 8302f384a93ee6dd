"""gunicorn's log lines, sent the way of all others."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn has no types
    """Leaves handlers and levels to ``aggregator.run.logs``; gunicorn tells trouble only."""

    def setup(self, cfg: Any) -> None:
        """Send everything to the root logger."""
        self.cfg = cfg
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
        self.access_log.handlers[:] = []
        self.access_log.propagate = False
