"""The web role: gunicorn on the supervisor's listener, one application in each worker."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import resource
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from aggregator.config import Settings
from aggregator.run import logs
from aggregator.run.balance import Balance
from aggregator.run.context import RunContext
from aggregator.run.crowd import Patience, Room
from aggregator.run.parent import die_with
from aggregator.run.siblings import siblings_spared
from aggregator.run.tls import context_of
from aggregator.server.metric_files import add_up_ended
from aggregator.view.query_socket import query_socket

#: Files that a worker needs beside its connections: the store's, the logs, and one for each
#: request that waits for the evaluator.
_OTHER_FILES = 500


class WebApplication(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's view of the service; its configuration is read anew at each SIGHUP."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        #: Of the workers' connections, shared with them.
        self.balance = Balance()
        super().__init__()

    def load_config(self) -> None:
        """Translate the settings into gunicorn's."""
        settings = self._context.settings()
        server = settings.server
        self.patience = Patience(
            server.header_timeout, server.body_timeout, server.reply_timeout, server.keepalive
        )
        self.room = Room(server.connections, server.request_memory, server.reply_memory)
        self.most_body = server.max_body
        for name, value in gunicorn_settings(settings, self._context.listener).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the application; called in a worker, after the fork."""
        # Imported here, since metrics read the environment that the role has prepared.
        from aggregator.server.application import create_application  # noqa: PLC0415

        with siblings_spared():
            settings = self._context.settings()
            logs.configure(level=settings.log.level, form=settings.log.format, role="web")
            return create_application(settings, query_socket=query_socket(settings))


def gunicorn_settings(settings: Settings, listener: int) -> dict[str, Any]:
    """gunicorn's configuration for our settings."""
    server = settings.server
    found: dict[str, Any] = {
        "bind": [f"fd://{listener}"],
        "workers": server.workers,
        "threads": server.threads,
        "worker_class": "aggregator.run.worker.Worker",
        # Only whether there is one: the worker's patience has the time.
        "keepalive": math.ceil(server.keepalive),
        "graceful_timeout": max(1, round(server.graceful_timeout)),
        # A worker that does not tell for this long is stuck and is replaced.
        "timeout": 60,
        "control_socket_disable": True,
        "proc_name": "aggregator-web",
        "accesslog": None,
        "logger_class": "aggregator.run.gunicorn_log.Logger",
        # Nothing may be told for another by anybody: so there is nobody to tell apart.
        "forwarded_allow_ips": "*",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "post_fork": _post_fork,
        "child_exit": _child_exit,
    }
    if server.tls_cert:
        found["certfile"] = server.tls_cert
        found["keyfile"] = server.tls_key or server.tls_cert
        found["ssl_context"] = context_of
    if server.client_ca:
        found["ca_certs"] = server.client_ca
    return found


def _allow_files(enough: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = enough if hard == resource.RLIM_INFINITY else min(enough, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _post_fork(arbiter: Arbiter, worker: Any) -> None:
    # The arbiter's own tie to the supervisor is not inherited over a fork.
    die_with(arbiter.pid)


def _child_exit(arbiter: Arbiter, worker: Any) -> None:
    arbiter.app.balance.seat(worker.age).leave()
    with contextlib.suppress(OSError):
        add_up_ended(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))


def run(context: RunContext) -> int:
    """Serve until SIGTERM."""
    # Loaded once before the workers are forked: they start sooner and share the memory. Nothing
    # is opened by it.
    importlib.import_module("aggregator.server.application")
    _allow_files(2 * context.settings().server.connections + _OTHER_FILES)
    WebApplication(context).run()
    return 0
