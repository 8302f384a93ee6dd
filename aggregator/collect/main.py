"""The collector's process: starts the parts, runs them until told to stop, ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

from aggregator.bus import assembly as bus
from aggregator.bus.carrying import AWAY
from aggregator.collect.actions import ActionRunner, told_by
from aggregator.collect.assembly import Parts, Ways, assemble
from aggregator.collect.following import Asking
from aggregator.collect.housekeeping import ROLE
from aggregator.collect.http import HttpClient
from aggregator.collect.lease import HolderFile
from aggregator.collect.orders import Orders
from aggregator.collect.probe_client import ProbeClient
from aggregator.collect.probe_runner import ProbeLimits, ProbeRunner
from aggregator.collect.probe_settings import action_folder, probe_folder
from aggregator.config import ConfigurationError, Settings
from aggregator.config.collection import CollectSettings
from aggregator.errors import AggregatorException, StoreUnavailable
from aggregator.registry.opening import store_of
from aggregator.registry.plugins import find_plugins
from aggregator.reports.controller import Controller
from aggregator.store.archive_partitions import make_partitions
from aggregator.store.engine import Store
from aggregator.store.leases import release_shards
from aggregator.store.processes import end_process, start_process
from aggregator.store.write import Write
from aggregator.wire.times import show_ahead

logger = logging.getLogger(__name__)

#: Seconds that collections under way, and then their results, are given at the end.
_FINISH, _FLUSH = 1.5, 2.0
#: Seconds until a store that is away is asked again.
_PAUSE = 1.0
_HOLDER_FILE = "collector.lock"
#: Seconds that a consumer may take for a message, and messages to one host at the same time.
_DELIVERY_TIMEOUT, _DELIVERY_CONNECTIONS = 10.0, 64


def _for_delivery(settings: CollectSettings) -> CollectSettings:
    timeout = min(settings.timeout, _DELIVERY_TIMEOUT)
    connections = max(settings.connections_per_host, _DELIVERY_CONNECTIONS)
    return replace(
        settings,
        timeout=timeout,
        connect_timeout=min(settings.connect_timeout, timeout),
        connections_per_host=connections,
    )


def run(
    settings: Settings,
    *,
    ready: Callable[[], None] | None = None,
    reload: Callable[[], Settings] | None = None,
    adopt: bool = True,
) -> int:
    """Collect until SIGTERM or SIGINT, which end it within 8 s; returns the exit status.

    `ready` is called once the lease was asked for. At SIGHUP the settings are taken from
    `reload`; without it nothing happens. With `adopt` this process takes up what its probes
    leave behind, and must have no other children.
    """
    _raise_file_limit()
    orders = Orders(heeding_hup=reload is not None)
    before = ""
    while True:
        role = _Role(settings, orders, adopt=adopt, before=before)
        before = role.process
        try:
            asyncio.run(role.play(ready or (lambda: None)))
        except AggregatorException as error:
            logger.error("the collector can't run: %s", error)
            return 1
        if not orders.take_again() or reload is None:
            return role.status
        try:
            settings = reload()
        except ConfigurationError as error:
            logger.error("the configuration is wrong and stays as it was: %s", error)


class _Role:
    """One life of the collector, from one reading of the settings to the next.

    `before` is under which name the life before this one was entered in the store; there it stays
    until this one is, or nobody might seem to run while web workers are exchanged too.
    """

    def __init__(self, settings: Settings, orders: Orders, *, adopt: bool, before: str) -> None:
        self._settings = settings
        self._orders = orders
        self._adopt = adopt
        self._before = before
        self.process = f"{ROLE}:{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.status = 0

    async def play(self, ready: Callable[[], None]) -> None:
        """Run until a signal."""
        told = self._orders.told()
        store = await self._open_store(told)
        if store is None:
            return
        holder = HolderFile(self._settings.server.data_dir / _HOLDER_FILE)
        try:
            show_ahead(store.clock.ahead)
            async with self._parts(store, holder.name) as parts:
                try:
                    await self._run(parts, told, ready)
                    await self._leave(parts, holder.name)
                finally:
                    parts.following.close()
                    parts.events.close()
                    parts.archives.close()
        finally:
            await asyncio.to_thread(store.close)
            holder.close()

    async def _open_store(self, told: asyncio.Event) -> Store | None:
        """Open the store and enter this process, however long that takes; None when told to end."""
        store = None
        while not told.is_set():
            try:
                store = store or store_of(self._settings)
                await asyncio.to_thread(store.writer.run, self._enter)
                await asyncio.to_thread(_make_partitions, store)
                return store
            except StoreUnavailable as error:
                logger.warning("the collector waits for the store: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), _PAUSE)
        if store is not None:
            store.close()
        return None

    def _enter(self, write: Write) -> None:
        start_process(write, self.process, ROLE)
        bus.begin(write, self._settings)
        if self._before:
            end_process(write, self._before)

    @contextlib.asynccontextmanager
    async def _parts(self, store: Store, holder: str) -> AsyncIterator[Parts]:
        settings, probes = self._settings, self._settings.probes
        folder, actions = probe_folder(settings), action_folder(settings)
        client = await ProbeClient.start(max_concurrent=probes.max_concurrent, adopt=self._adopt)
        http = HttpClient(settings.collect)
        # Members that hang must not keep subscribers waiting, nor they the collections.
        delivering = HttpClient(_for_delivery(settings.collect))
        limits = ProbeLimits(probes.timeout, probes.max_output, probes.memory_limit)
        acting = settings.triggers
        bounds = ProbeLimits(acting.timeout, acting.max_output, acting.memory_limit)
        try:
            yield assemble(
                settings,
                store=store,
                plugins=find_plugins(),
                ways=Ways(
                    http,
                    delivering,
                    ProbeRunner(client, folder, limits, wrapped=probes.input == "wrapped"),
                    ActionRunner(client, actions, bounds, told=told_by(settings)),
                ),
                holder=holder,
                process=self.process,
            )
        finally:
            delivering.close()
            http.close()
            await client.close()

    async def _run(self, parts: Parts, told: asyncio.Event, ready: Callable[[], None]) -> None:
        """Run the parts until told to stop, or until one fails, which none may."""
        await parts.lease.renew()
        parts.housekeeping.start()
        working = [parts.lease.keep(), parts.collector.follow(), parts.keeping_time.look_on()]
        working += [parts.receiving.receive(), parts.releasing.release(), parts.delivery.deliver()]
        working.append(parts.triggers.run())
        if parts.bus is not None:
            working.append(parts.bus.publish())
        if self._settings.reports.tokens:
            working.append(self._report(parts))
        working += [recorder.run() for recorder in parts.recorders.values()]
        tasks = [asyncio.create_task(work) for work in working]
        ready()
        waiting = asyncio.create_task(told.wait())
        ended, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in ended - {waiting}:
            logger.critical("a part of the collector failed", exc_info=task.exception())
            self.status = 1
        parts.housekeeping.stop()
        # The lease goes on for as long as results are recorded.
        for task in tasks[1:]:
            task.cancel()
        await parts.collecting.finish(within=_FINISH)
        for recorder in parts.recorders.values():
            with contextlib.suppress(StoreUnavailable, TimeoutError):
                await asyncio.wait_for(recorder.flush(), _FLUSH)
        await parts.triggers.finish(within=2 * _FINISH)
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            await asyncio.wait_for(parts.delivery.finish(), _FLUSH)
        await self._end_bus(parts)
        tasks[0].cancel()
        waiting.cancel()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)

    async def _report(self, parts: Parts) -> None:
        """Have the aggregators of reports while the lease is held, for ever."""
        # Reports are large, and looked for often: neither keeps the collections waiting.
        asking = Asking(parts.recording.store, thread="reports-reading")
        with contextlib.closing(asking):
            await Controller(
                self._settings.reports,
                ask=asking.ask,
                write=parts.recording.write,
                epochs=lambda: parts.lease.epochs,
                holder=parts.recording.holder,
                clock=parts.recording.store.clock.now,
            ).run()

    async def _end_bus(self, parts: Parts) -> None:
        """Publish that the service stops, with what else there is; what is left waits for it."""
        if parts.bus is None:
            return
        with contextlib.suppress(StoreUnavailable, TimeoutError, *AWAY):
            async with asyncio.timeout(_FLUSH):
                if not self._orders.goes_on:
                    await parts.recording.write(partial(bus.end, settings=self._settings))
                await parts.bus.finish()

    async def _leave(self, parts: Parts, holder: str) -> None:
        """Give back the lease, so that another collector need not wait for its end."""
        try:
            await parts.recording.write(partial(release_shards, holder=holder))
            if not self._orders.goes_on:
                await parts.recording.write(partial(end_process, process=self.process))
        except StoreUnavailable as error:
            logger.warning("the lease was not given back and runs out: %s", error)


def _make_partitions(store: Store) -> None:
    """Have the first delivery find its day's; housekeeping makes the others, and tries again."""
    try:
        store.writer.run(partial(make_partitions, ahead=1))
    except StoreUnavailable as error:
        logger.warning("the archive's partitions for today were not made: %s", error)


def _raise_file_limit() -> None:
    """Let connections to many members stay open: the soft limit is often a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
