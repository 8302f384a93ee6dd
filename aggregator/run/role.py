"""What each role's process does first, and what it does then."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from aggregator.config import ConfigurationError
from aggregator.run import logs
from aggregator.run.context import WRONG_CONFIGURATION, RunContext, metrics_dir
from aggregator.run.parent import die_with
from aggregator.run.this_process import this_process
from aggregator.view.query_socket import query_socket


def play(role: str, context: RunContext, *, parent: int) -> int:
    """Play a role until told to stop, and until the process `parent` ends; the exit status."""
    die_with(parent)
    # Until the role has its handlers: what it reads then is what SIGHUP would have it read.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The supervisor blocks its signals; a mask is inherited, and a role needs them.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        settings = context.settings()
    except ConfigurationError as error:
        if role in _ENDING:
            # It tells this, and what plug-ins and probes say of the rest.
            return ROLES[role](context)
        print(error, file=sys.stderr)
        return WRONG_CONFIGURATION
    logs.configure(level=settings.log.level, form=settings.log.format, role=role)
    # The link may vanish with the data folder; what it leads to stays.
    _share_metrics(metrics_dir(settings).resolve(), ending=role in _ENDING)
    return ROLES[role](context)


def _share_metrics(folder: Path, *, ending: bool) -> None:
    """Keep this process's metrics in the folder, where one before it may have left its own."""
    # prometheus-client looks at this when it is imported, so it comes before any role's modules.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    from prometheus_client import values  # noqa: PLC0415

    # It asks for the number of its process at each count, which is a call of the system.
    values.ValueClass = values.MultiProcessValue(this_process)  # type: ignore[no-untyped-call]
    if not ending:
        from aggregator.server.metric_files import add_up_ended  # noqa: PLC0415

        with contextlib.suppress(OSError):
            add_up_ended(folder)


def _web(context: RunContext) -> int:
    from aggregator.run.web import run  # noqa: PLC0415  (each role loads its own modules only)

    return run(context)


def _collector(context: RunContext) -> int:
    from aggregator.collect.main import run  # noqa: PLC0415

    return run(context.settings(), reload=context.settings)


def _query(context: RunContext) -> int:
    from aggregator.view.evaluator import serve  # noqa: PLC0415

    settings = context.settings()
    return serve(settings, query_socket(settings), reload=context.settings)


def _measurement(context: RunContext) -> int:
    from aggregator.run.measuring import run  # noqa: PLC0415

    return run(context)


def _check(context: RunContext) -> int:
    from aggregator.run.preparation import run  # noqa: PLC0415

    return run(context, reloading=True)


def _prepare(context: RunContext) -> int:
    from aggregator.run.preparation import run  # noqa: PLC0415

    return run(context, reloading=False)


ROLES: Mapping[str, Callable[[RunContext], int]] = {
    "web": _web,
    "collector": _collector,
    "query": _query,
    "measurement": _measurement,
    "check": _check,
    "prepare": _prepare,
}

#: Roles that end by themselves, and measure nothing.
_ENDING = ("check", "prepare")

#: What roles have in common, and what takes a while to load; nothing of it may load the metrics,
#: which find their folder only in a role (`_share_metrics`).
_COMMON = ("aggregator.view.evaluator", "aggregator.store.migrate", "aggregator.registry.offered")
_OF_ROLES = {
    "web": ("aggregator.server.spyne_compat", "gunicorn.arbiter"),
    "collector": ("apscheduler.schedulers.asyncio", "pycurl"),
}


def load(roles: Collection[str]) -> None:
    """Load once what these roles need: the processes that play them begin with it."""
    for module in (*_COMMON, *(module for role in roles for module in _OF_ROLES.get(role, ()))):
        importlib.import_module(module)
    # Memory that no search for garbage touches stays shared.
    gc.collect()
    gc.freeze()
