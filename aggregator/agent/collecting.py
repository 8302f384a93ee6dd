"""A collector at work: in a thread of its own, so that one that hangs keeps no other waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from aggregator.agent.spool import MOST, KeptInFile, Spool
from aggregator.errors import AggregatorFailed
from aggregator.reports.addons import Collector
from aggregator.reports.calls import said
from aggregator.reports.names import CONTENT_TYPES, TYPE

log = logging.getLogger(__name__)

#: Seconds that a thread waits at most until it looks whether the node is connected.
_LOOK = 0.2
#: Bytes of a report at most, whatever the service takes: it is held in memory to be sent.
LARGEST = 64 * 2**20


class Collecting:
    """Asks one collector for reports while the node is connected, every `interval` seconds.

    `on_report` is called when there is one in the spool.
    """

    def __init__(
        self,
        name: str,
        collector: Collector,
        kept: KeptInFile,
        *,
        spool: Spool,
        interval: float,
        on_report: Callable[[], None],
    ) -> None:
        self._name = name
        self._collector = collector
        self._kept = kept
        self._spool = spool
        self._interval = interval
        self._on_report = on_report
        self._changed = threading.Event()
        self._is_connected = False
        # A report that was taken of the collector, and could not be put into the spool.
        self._unput: tuple[str, str, bytes] | None = None

    def start(self) -> None:
        """Begin, in a thread that keeps nobody from leaving."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def tell(self, *, is_connected: bool) -> None:
        """Say whether the node is connected. For any thread."""
        self._is_connected = is_connected
        self._changed.set()

    def _run(self) -> None:
        told = False
        due = time.monotonic()
        while True:
            self._changed.wait(max(0.0, min(due - time.monotonic(), _LOOK)))
            self._changed.clear()
            if told != self._is_connected:
                told = self._is_connected
                self._guarded(self._collector.connectStateChanged, told)
            if told and time.monotonic() >= due and len(self._spool) < MOST:
                due = max(due + self._interval, time.monotonic())
                self._guarded(self._collect, time.time())

    def _collect(self, now: float) -> None:
        """Ask for a report, and put it into the spool; one that it did not take comes first."""
        if self._unput is None:
            found = self._collector.getReport(now)
            if found is None:
                return
            self._unput = self._report(found)
        self._spool.put(*self._unput)
        self._unput = None
        self._on_report()

    def _guarded(self, call: Callable[[Any], None], argument: Any) -> None:
        """Call, and store what the collector saved; what fails is logged."""
        try:
            call(argument)
            # That a report was made is not to be known while nobody has it.
            if self._unput is None:
                self._kept.store()
        except AggregatorFailed as error:
            log.error("%s: %s", self._name, error)
        except OSError as error:
            log.error("%s: a file can't be read or written: %s", self._name, error)
        except (Exception, SystemExit):
            log.exception("%s failed", self._name)

    def _report(self, found: Any) -> tuple[str, str, bytes]:
        """Type, media type and data of what a collector returned."""
        if not isinstance(found, tuple) or len(found) != 2:
            raise AggregatorFailed(
                f"it returned {type(found).__name__}; wanted is None, or a type and the data",
                reason="failed",
            )
        kind = str(found[0] or self._collector.reporttype)
        if not TYPE.fullmatch(kind):
            raise AggregatorFailed(f"{kind[:60]!r} is no type of reports", reason="failed")
        sent = said(found[1])
        if sent is None:
            raise AggregatorFailed("it returned a type without data", reason="failed")
        if len(sent.data) > LARGEST:
            raise AggregatorFailed(
                f"it returned {len(sent.data)} bytes; {LARGEST} may be", reason="large"
            )
        return kind, CONTENT_TYPES[sent.kind], sent.data
