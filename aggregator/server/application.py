"""Builds the WSGI application of a web worker; called after the fork."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from aggregator.archive.querying import ArchiveReader
from aggregator.collect.probe_settings import action_folder, probe_folder
from aggregator.collect.probes import ProbeFolder
from aggregator.config import Settings
from aggregator.errors import StoreUnavailable
from aggregator.registry.counting import RegistrationCounter
from aggregator.registry.offered import check_groups
from aggregator.registry.opening import store_of
from aggregator.registry.plugins import find_plugins
from aggregator.registry.presence import announce
from aggregator.registry.registry import Registry, ServiceGroup
from aggregator.registry.this_host import own_hosts
from aggregator.server.counts import Counts
from aggregator.server.establishing import EstablishingLoop
from aggregator.server.pull_waits import PullWaits
from aggregator.server.routes import SERVICES
from aggregator.server.site import Site
from aggregator.server.wsgi import WsgiService
from aggregator.store.groups import declare_groups
from aggregator.view.keeping import KeptViews
from aggregator.view.query_client import QueryClient
from aggregator.view.tables.tables import Tables
from aggregator.view.views import Views
from aggregator.waiting import waiting
from aggregator.wire.times import show_ahead

log = logging.getLogger(__name__)

#: Seconds between two tries of a worker that starts while the store is away.
_RETRY = 0.5

T = TypeVar("T")


def create_application(settings: Settings, *, query_socket: Path) -> WsgiService:
    """The service of this process, with its own store, views and caches; its views are kept."""
    site = create_site(settings, query_socket=query_socket)
    KeptViews(site.views, site.registry.groups, stale_reads=settings.store.stale_reads).start()
    return WsgiService(site)


def create_site(settings: Settings, *, query_socket: Path) -> Site:
    """Everything a web worker works with; raises ConfigError for plug-ins that don't fit."""
    plugins = find_plugins()
    check_groups(settings, plugins)
    public_url = settings.server.public_url.rstrip("/")
    store = store_of(settings)
    show_ahead(store.clock.ahead)
    ids = _when_the_store_answers(lambda: declare_groups(store, sorted(settings.groups)))
    groups = {
        name: ServiceGroup(ids[name], group, f"{public_url}{SERVICES}{name}")
        for name, group in settings.groups.items()
    }
    process = f"{socket.gethostname()}:web:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    _when_the_store_answers(lambda: announce(store, process=process, role="web"))
    registry = Registry(
        settings=settings,
        store=store,
        plugins=plugins,
        groups=groups,
        resolve_probe=partial(_resolved, probe_folder(settings)),
        resolve_action=partial(_resolved, action_folder(settings)),
        process=process,
        counter=RegistrationCounter(store, process=process),
        here=own_hosts(settings.server.host, public_url=public_url),
        establishing=EstablishingLoop(settings, store, public_url=public_url),
    )
    queries = QueryClient(
        query_socket,
        timeout=settings.query.timeout,
        max_expression=settings.query.max_expression,
    )
    return Site(
        settings,
        registry,
        Views(store, groups, settings),
        queries,
        Tables(
            most=settings.query.tables,
            max_result=settings.query.max_result,
            max_expression=settings.query.max_expression,
        ),
        Counts(store),
        public_url,
        # The other connections are for those who are answered at once.
        PullWaits(store, most=max(1, settings.server.connections // 2)),
        ArchiveReader(store, queries, url=public_url),
    )


def _resolved(folder: ProbeFolder, name: str) -> str:
    # The folder may be on a file system that hangs.
    with waiting():
        return folder.resolve(name).name


def _when_the_store_answers(use: Callable[[], T]) -> T:
    """Do what needs the store; a worker that starts while it is away waits for it.

    It must not fail: gunicorn would end its siblings too, which still answer from their views.
    """
    while True:
        try:
            return use()
        except StoreUnavailable as error:
            log.warning("a web worker that starts waits for the store: %s", error)
            time.sleep(_RETRY)
