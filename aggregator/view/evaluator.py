"""The query evaluator as a process: its store, its socket, its signals."""

from __future__ import annotations

import logging
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from aggregator.config import ConfigurationError, Settings
from aggregator.store.engine import Store, open_store
from aggregator.view.evaluating import Evaluator
from aggregator.view.group_documents import documents_of
from aggregator.view.query_socket import identity, listen, unlink_own
from aggregator.wire.times import show_ahead

log = logging.getLogger(__name__)

#: One for each client that waits, and some.
_FILES = 4096


def serve(
    settings: Settings, socket_path: Path, *, reload: Callable[[], Settings] | None = None
) -> int:
    """Evaluate expressions for those who connect to `socket_path`, until SIGTERM or SIGINT.

    Belongs into the main thread of a process that has no other. SIGHUP has the settings read
    again by `reload`. Returns the exit status.
    """
    store = open_store(
        url=settings.database_url,
        data_dir=settings.server.data_dir,
        pool_size=settings.store.pool_size,
        busy_timeout=settings.store.busy_timeout,
        write_timeout=settings.store.write_timeout,
    )
    show_ahead(store.clock.ahead)
    _allow_many_files()
    listener = listen(socket_path)
    own = identity(socket_path)
    signals = _Signals()
    evaluator = Evaluator(settings.query, documents_of(settings, store), listener)
    evaluator.watch(signals.fileno(), signals.take)
    log.info("evaluating expressions")
    try:
        while not signals.end:
            evaluator.turn()
            if signals.reload:
                signals.reload = False
                _reload(evaluator, store, reload)
    finally:
        listener.close()
        unlink_own(socket_path, own)
        evaluator.close()
        signals.close()
        store.close()
    return 0


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def _reload(evaluator: Evaluator, store: Store, reload: Callable[[], Settings] | None) -> None:
    if reload is None:
        return
    try:
        settings = reload()
    except ConfigurationError as error:
        log.error("SIGHUP changed nothing, the configuration is wrong: %s", error)
        return
    evaluator.use(settings.query, documents_of(settings, store))


class _Signals:
    """Signals as bytes on a socket that the loop watches."""

    def __init__(self) -> None:
        self.end = self.reload = False
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        self._handlers = {number: signal.signal(number, self._note) for number in numbers}

    def fileno(self) -> int:
        return self._reading.fileno()

    def take(self) -> None:
        self._reading.recv(4096)

    def close(self) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._reading.close()
        self._writing.close()

    def _note(self, number: int, frame: object) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.end = True
