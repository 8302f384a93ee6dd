"""The thread in which an archive is registered: a lookup service that hangs delays nothing."""

from __future__ import annotations

import logging
import threading

from aggregator.measurement.registering import Registrations

log = logging.getLogger(__name__)


class RegistrationLoop:
    """Makes a round now and then every `interval` seconds."""

    def __init__(self, registrations: Registrations, interval: float) -> None:
        self._registrations = registrations
        self._interval = interval
        self._stopped = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="registration", daemon=True)

    def start(self) -> None:
        """Begin with the first round."""
        self._thread.start()

    def stop(self, *, ending: bool, within: float) -> None:
        """No further round; with `ending` what is registered is ended, if that can be in time.

        What was never started registered nothing.
        """
        self._ends = ending
        self._stopped.set()
        if self._thread.ident is None:
            return
        self._thread.join(within)
        if self._thread.is_alive():
            log.warning("a registration is under way still and is left to itself")

    def _run(self) -> None:
        while True:
            self._registrations.round()
            if self._stopped.wait(self._interval):
                break
        if self._ends:
            self._registrations.end()
