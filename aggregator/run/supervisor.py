"""The supervisor of ``aggregator serve``: owns the listener, starts the roles, keeps them alive."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from aggregator.config import (
    ConfigurationError,
    Settings,
    changed_needing_restart,
    restart_values,
)
from aggregator.registry.this_host import is_anywhere, url_of
from aggregator.run import data_folder
from aggregator.run.child import Child, start
from aggregator.run.context import WRONG_CONFIGURATION, RunContext, metrics_dir
from aggregator.run.listener import bind
from aggregator.run.metrics_folder import MetricsFolder
from aggregator.run.role import load

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
#: From SIGTERM to the end everything must fit into ten seconds.
_STOP_WITHIN = 9.5
#: Seconds for the check before a reload: who died meanwhile is started again only after it.
_CHECK_WITHIN = 30.0
_NO_PUBLIC_URL = (
    "server.host is %s and server.public_url is not set: every endpoint reference names %s, made "
    "of this host's name; set server.public_url to the address by which clients reach the service"
)


def serve(context: RunContext, *, web: bool = True, collector: bool = True) -> int:
    """Run the service until SIGTERM or SIGINT; returns the exit status.

    Raises ConfigurationError for settings that can't work, and for a data folder or an address
    that is taken.
    """
    _open_standard_files()
    # Who ignores it is not told how a child ended; some launchers leave it ignored.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    context = context.taken()
    settings = context.settings()
    # Blocked from here on: a signal that comes early is waited for like any other.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    with data_folder.held(settings.server.data_dir, web=web):
        metrics = MetricsFolder(metrics_dir(settings))
        try:
            load([*_roles(settings, web=web, collector=collector), "prepare"])
            status = _once(context, "prepare")
            if _told_to_end():
                return 0
            return status or _serve(context, settings, web=web, collector=collector)
        finally:
            metrics.leave()


def _open_standard_files() -> None:
    """Open those that whoever started this process has closed: no file of ours may be one."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _serve(context: RunContext, settings: Settings, *, web: bool, collector: bool) -> int:
    asked = context
    context = replace(context, fixed=restart_values(settings))
    listener = None
    if web:
        listener = bind(settings.server.host, settings.server.port)
        scheme = "https" if settings.server.tls_cert else "http"
        url = settings.server.public_url or url_of(listener, scheme=scheme)
        context = replace(context, listener=listener.fileno(), public_url=url)
        log.info("listening on %s", url)
        if is_anywhere(settings.server.host) and not settings.server.public_url:
            log.warning(_NO_PUBLIC_URL, settings.server.host, url)
    roles = _roles(settings, web=web, collector=collector)
    try:
        return _Supervision(asked, settings, [Child(role, context) for role in roles]).run()
    finally:
        if listener is not None:
            listener.close()


def _roles(settings: Settings, *, web: bool, collector: bool) -> list[str]:
    measures = web and settings.measurement.metadata_db_type != "none"
    return [
        *(("query", "web") if web else ()),
        *(("measurement",) if measures else ()),
        *(("collector",) if collector else ()),
    ]


def _once(context: RunContext, role: str, *, within: float = math.inf) -> int:
    """Run a role that ends by itself, in a process of its own: this one stays as it is.

    It is killed when this one is told to end, whose signal stays to be taken, and when it takes
    longer than `within` seconds.
    """
    deadline = time.monotonic() + within
    process = start(role, context)
    while (status := process.poll()) is None:
        if _told_to_end() or time.monotonic() > deadline:
            process.send(signal.SIGKILL)
        signal.sigtimedwait((signal.SIGCHLD,), 0.1)
    return status


def _told_to_end() -> bool:
    return bool({signal.SIGTERM, signal.SIGINT} & signal.sigpending())


class _Supervision:
    """The loop: one signal at a time, in the main thread, nothing else."""

    def __init__(self, context: RunContext, settings: Settings, children: Sequence[Child]) -> None:
        self._context = context
        self._settings = settings
        self._children = children

    def run(self) -> int:
        for child in self._children:
            child.start()
        while True:
            received = signal.sigtimedwait(_SIGNALS, self._patience())
            number = received.si_signo if received is not None else None
            if number in (signal.SIGTERM, signal.SIGINT):
                return self._stop()
            if number == signal.SIGHUP:
                self._reload()
            self._revive()

    def _patience(self) -> float:
        now = time.monotonic()
        waiting = [child.next_start - now for child in self._children if child.process is None]
        return max(0.0, min([1.0, *waiting]))

    def _revive(self) -> None:
        for child in self._children:
            code = child.died()
            if code is not None:
                log.error(
                    "%s ended with status %s; it is started again in %.1f s",
                    child.role,
                    code,
                    max(0.0, child.next_start - time.monotonic()),
                )
            if child.process is None and time.monotonic() >= child.next_start:
                child.start()

    def _reload(self) -> None:
        try:
            with contextlib.closing(self._context.taken()) as taken:
                self._reload_with(taken)
        except ConfigurationError as error:
            log.error("SIGHUP changed nothing, the configuration is wrong: %s", error)

    def _reload_with(self, taken: RunContext) -> None:
        # The first to look, so that what plug-ins and probes say is told with all else.
        status = _once(taken, "check", within=_CHECK_WITHIN)
        if _told_to_end() or status == WRONG_CONFIGURATION:
            return
        if status:
            log.error("SIGHUP changed nothing, it can't be done now: see above")
            return
        settings = taken.settings()
        needing = changed_needing_restart(self._settings, settings)
        if needing:
            log.warning("these settings need a restart: %s", ", ".join(needing))
        self._context.accept(taken)
        for child in self._children:
            child.signal(signal.SIGHUP)
        log.info("configuration read again")

    def _stop(self) -> int:
        """Let requests in flight finish: the evaluator that they may need goes last."""
        deadline = time.monotonic() + _STOP_WITHIN
        last = [child for child in self._children if child.role == "query"]
        first = [child for child in self._children if child.role != "query"]
        for children, until in ((first, deadline - 0.5), (last, deadline)):
            for child in children:
                child.signal(signal.SIGTERM)
            for child in children:
                if not child.wait(until):
                    log.warning("%s did not end in time and is killed", child.role)
                    child.signal(signal.SIGKILL)
                    child.wait(time.monotonic() + 1)
        log.info("stopped")
        return 0
