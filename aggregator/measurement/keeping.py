"""The process that builds the metadata store from time to time."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable

from aggregator.config import ConfigurationError, Settings
from aggregator.errors import AggregatorException
from aggregator.measurement import metrics
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.opening import Opened, open_archive
from aggregator.measurement.registering import Registrations
from aggregator.measurement.registering_loop import RegistrationLoop
from aggregator.registry.opening import store_of

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Seconds until what went wrong is tried again, at most.
_SOON = 60.0
#: Seconds that the end of registrations may take.
_END_WITHIN = 6.0
#: Seconds between two looks at our own tables, and between two at a build that goes on.
_LOOK, _TICK = 2.0, 0.1


#: Makes the places where an archive is registered; None for nowhere.
Places = Callable[[Settings, Opened], Registrations | None]


def run(settings: Settings, *, reload: Callable[[], Settings], places: Places) -> int:
    """Build the store now and at each interval, until SIGTERM; SIGHUP reads the settings anew."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    while True:
        received = _with(settings, places)
        if received != signal.SIGHUP:
            return 0
        try:
            settings = reload()
        except ConfigurationError as error:
            log.error("SIGHUP changed nothing, the configuration is wrong: %s", error)


def _with(settings: Settings, places: Places) -> int:
    """Build and register with these settings until a signal comes, which is returned."""
    store = store_of(settings)
    interval = settings.measurement.maintenance_interval
    is_left = False
    try:
        opened = open_archive(settings, store, building=True)
        builder = _Builder(opened)
        registrations = places(settings, opened)
        registering = None
        if registrations is not None:
            every = settings.measurement.ls_registration_interval
            registering = RegistrationLoop(registrations, every)
        received: int = signal.SIGTERM
        try:
            received = _until_signal(builder, interval, registering)
        finally:
            if registering is not None:
                ending = received != signal.SIGHUP
                registering.stop(ending=ending, within=_END_WITHIN)
            is_left = builder.is_at_work
            if not is_left:
                opened.close()
        return received
    finally:
        # What a build that was left to itself reads from goes with the process.
        if not is_left:
            store.close()


def _until_signal(builder: _Builder, interval: float, registering: RegistrationLoop | None) -> int:
    """Build at each interval, when our own tables have a test that was not there, and when the file
    that was built is lost.

    What was built is registered from the first time on.
    """
    newest = due = -math.inf
    is_first = True
    built = False
    while True:
        found = _newest(builder.opened, known=newest)
        is_lost = built and _is_lost(builder.opened)
        if time.monotonic() >= due or found != newest or is_lost:
            built, signal_number = builder.build()
            if signal_number is not None:
                return signal_number
            newest = found
            if is_first and registering is not None:
                registering.start()
            is_first = False
            due = time.monotonic() + (interval if built else min(interval, _SOON))
        patience = min(_LOOK, max(0.0, due - time.monotonic()))
        received = signal.sigtimedwait(_SIGNALS, patience)
        if received is not None:
            return received.si_signo


class _Builder:
    """Builds in a thread of its own: a database may hang for minutes, and SIGTERM can't wait."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self._thread: threading.Thread | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether a build goes on that was left to itself."""
        return self._thread is not None and self._thread.is_alive()

    def build(self) -> tuple[bool, int | None]:
        """Whether all of it could be done, and the signal that came meanwhile.

        A build is left to itself where the process has to end. Else its end is waited for: two at
        a time might leave what the older one found.
        """
        done: list[bool] = []
        thread = threading.Thread(
            target=lambda: done.append(_build(self.opened)), name="building", daemon=True
        )
        self._thread = thread
        thread.start()
        signal_number: int | None = None
        thread.join(_TICK)
        while thread.is_alive():
            received = signal.sigtimedwait(_SIGNALS, _TICK)
            if received is not None:
                signal_number = received.si_signo
                if signal_number != signal.SIGHUP:
                    return False, signal_number
        return done == [True] and not self.opened.tests.away, signal_number


def _is_lost(opened: Opened) -> bool:
    """Whether the metadata store is a file that is gone, or was broken by somebody."""
    store = opened.archive.store
    return isinstance(store, FileStore) and not store.is_readable()


def _newest(opened: Opened, *, known: float) -> float:
    """The newest test in our own tables; what was known, where that can't be asked now."""
    if opened.own is None:
        return known
    try:
        return opened.own.newest()
    except AggregatorException:
        return known


def _build(opened: Opened) -> bool:
    """Whether it could be done; the store stays as it was where it could not."""
    began = time.monotonic()
    try:
        changed = opened.archive.create_storage()
    except AggregatorException as error:
        log.error("the metadata store stays as it was: %s", error)
        metrics.BUILT.labels("failed").inc()
        return False
    except Exception:
        log.exception("bug in building the metadata store; it stays as it was")
        metrics.BUILT.labels("failed").inc()
        return False
    metrics.BUILT.labels("new" if changed else "same").inc()
    log.log(
        logging.INFO if changed else logging.DEBUG,
        "the metadata store was built in %.1f s and %s",
        time.monotonic() - began,
        "is new" if changed else "did not change",
    )
    return True
