"""Keeps this process among those of the service that run, for all hosts on the store to see."""

from __future__ import annotations

import logging
import threading

from aggregator.errors import StoreUnavailable
from aggregator.store.engine import Store
from aggregator.store.processes import heartbeat, start_process

log = logging.getLogger(__name__)

#: Seconds; other hosts take a process that gave no sign three times as long for dead.
_INTERVAL = 5.0


def announce(store: Store, *, process: str, role: str) -> None:
    """Enter the process now and give signs of life from a thread of its own, to the end."""
    store.writer.run(lambda write: start_process(write, process, role))
    thread = threading.Thread(
        target=_beat, args=(store, process, role), name="presence", daemon=True
    )
    thread.start()


def _beat(store: Store, process: str, role: str) -> None:
    pause = threading.Event()
    while not pause.wait(_INTERVAL):
        try:
            store.writer.run(lambda write: heartbeat(write, process, role))
        except StoreUnavailable as error:
            log.warning("no sign of life could be given: %s", error)
