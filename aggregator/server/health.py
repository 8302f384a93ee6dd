"""Liveness and readiness of this web host."""

from __future__ import annotations

import json

from aggregator import __version__
from aggregator.errors import StoreUnavailable
from aggregator.server.site import Site
from aggregator.store.leases import collector_running
from aggregator.store.migrate import schema_is_current


def alive() -> bytes:
    """The body of ``/healthz``: this process answers."""
    return json.dumps({"status": "alive", "version": __version__}).encode()


def ready(site: Site) -> tuple[bool, bytes]:
    """Whether ``/readyz`` answers 200, and its body.

    It does while every group can be answered: from the store, or from a view that is not older
    than ``stale_reads``. The collector's state is told and decides nothing.
    """
    checks = {"store": "ok", "schema": "current", "views": "loaded", "collector": "unknown"}
    is_ready = True
    store = site.registry.store
    try:
        if not schema_is_current(store):
            checks["schema"], is_ready = "older or newer than this program; migrate", False
        with store.read() as connection:
            running = collector_running(connection, store.clock.now())
            checks["collector"] = "running" if running else "not running"
    except StoreUnavailable as error:
        checks["store"] = error.message
    try:
        for name in site.registry.groups:
            site.views.current(name)
    except StoreUnavailable as error:
        checks["views"], is_ready = error.message, False
    body = {"status": "ready" if is_ready else "not ready", **checks}
    return is_ready, json.dumps(body).encode()
