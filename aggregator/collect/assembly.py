"""The collector's parts put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aggregator.archive.keeping import Archives
from aggregator.bus.assembly import bus_of
from aggregator.bus.bus import Bus
from aggregator.bus.collecting import BusEvents
from aggregator.collect import metrics
from aggregator.collect.assignments import Assignments
from aggregator.collect.collecting import Collecting
from aggregator.collect.collector import Collector
from aggregator.collect.consumers import StoreConsumers
from aggregator.collect.context import Offered
from aggregator.collect.delivering import Delivering, deliverings
from aggregator.collect.dispatch import Result
from aggregator.collect.farewell import Farewell
from aggregator.collect.following import Following
from aggregator.collect.housekeeping import Housekeeping
from aggregator.collect.keeping_time import KeepingTime
from aggregator.collect.lease import Lease
from aggregator.collect.logins import logins_of
from aggregator.collect.notifying import delivery_of
from aggregator.collect.pruning import prunings_of
from aggregator.collect.receiving import Receiving
from aggregator.collect.recording import GroupRecorder, Recording
from aggregator.collect.releasing import Releasing
from aggregator.collect.triggering import running_of, watching_of
from aggregator.config import Settings
from aggregator.config.collection import CollectSettings
from aggregator.contract import Http, RunProbe
from aggregator.notify.delivery import Delivery
from aggregator.registry.plugins import Plugins
from aggregator.store.collection import Assignment
from aggregator.store.engine import Store
from aggregator.store.leases import take_shards
from aggregator.triggers.running import RunAction, Running
from aggregator.triggers.watching import Watching

#: Seconds beyond a source's own timeouts after which a collection is ended from outside.
_MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """A collector ready to run: each part has a coroutine that runs for ever, or jobs."""

    lease: Lease
    collector: Collector
    collecting: Collecting
    recorders: Mapping[str, GroupRecorder]
    recording: Recording
    housekeeping: Housekeeping
    keeping_time: KeepingTime
    following: Following
    receiving: Receiving
    releasing: Releasing
    delivery: Delivery
    bus: Bus | None
    events: BusEvents
    archives: Archives
    triggers: Running


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways out of the collector: to members, to consumers, to probes, to actions."""

    http: Http
    delivering: Http
    run_probe: RunProbe
    run_action: RunAction


def assemble(
    settings: Settings,
    *,
    store: Store,
    plugins: Plugins,
    ways: Ways,
    holder: str,
    process: str,
) -> Parts:
    """Put the parts together, of this `process`, with the lease in the name of `holder`; raises
    ConfigError for a sink that is not installed."""
    recording = _recording(settings, store, holder)
    following = Following(store, shards=settings.collect.shards)
    watching = watching_of(settings, following.ask, store.clock.now)
    sinks = deliverings(settings, plugins, store, archives := Archives(settings), watching)
    recorders = _recorders(recording, sinks)
    lease = _lease(settings.collect, recording)
    farewell = Farewell(plugins=plugins, sinks=sinks, recording=recording)
    events = BusEvents(settings, store)
    offered = _offered(settings, recording, ways, events)
    shared = _Shared(
        settings=settings,
        plugins=plugins,
        recording=recording,
        following=following,
        offered=offered,
        assignments=Assignments(offered, needs_farewell=farewell.is_needed),
        epochs=lambda: lease.epochs,
        record=lambda result: recorders[result.context.assignment.group].put(result),
    )
    collecting = _collecting(shared)
    housekeeping = _housekeeping(settings, recording, lease, process)
    return Parts(
        lease=lease,
        collector=_collector(shared, collecting, farewell, lease),
        collecting=collecting,
        recorders=recorders,
        recording=recording,
        housekeeping=housekeeping,
        keeping_time=_keeping_time(recording, lease, housekeeping),
        following=shared.following,
        receiving=_receiving(shared, collecting),
        releasing=_releasing(shared),
        delivery=_delivery(shared, recorders, ways.delivering),
        bus=_bus(shared),
        events=events,
        triggers=_triggers(shared, watching, sinks, ways.run_action, process),
        archives=archives,
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    """What several parts work with."""

    settings: Settings
    plugins: Plugins
    recording: Recording
    following: Following
    offered: Offered
    assignments: Assignments
    epochs: Callable[[], Mapping[int, int]]
    record: Callable[[Result], None]


def _collector(
    shared: _Shared, collecting: Collecting, farewell: Farewell, lease: Lease
) -> Collector:
    collector = Collector(
        following=shared.following,
        collecting=collecting,
        farewell=farewell,
        groups=shared.settings.groups,
        epochs=shared.epochs,
    )
    lease.on_change = collector.lease_changed
    return collector


def _collecting(shared: _Shared) -> Collecting:
    settings = shared.settings
    metrics.announce({source.name for source in shared.plugins.sources.values()})
    return Collecting(
        assignments=shared.assignments,
        plugins=shared.plugins,
        load=shared.following.load,
        epochs=shared.epochs,
        record=shared.record,
        clock=shared.offered.clock,
        most=settings.collect.max_concurrent,
        share=partial(_share, settings, shared.offered.probing),
        limit=max(settings.collect.timeout, settings.probes.timeout) + _MARGIN,
    )


def _receiving(shared: _Shared, collecting: Collecting) -> Receiving:
    return Receiving(
        following=shared.following,
        assignments=shared.assignments,
        plugins=shared.plugins,
        epochs=shared.epochs,
        record=shared.record,
        again=collecting.again,
        is_needed=lambda: collecting.is_notified,
        clock=shared.offered.clock,
        shards=shared.settings.collect.shards,
    )


def _releasing(shared: _Shared) -> Releasing:
    return Releasing(
        following=shared.following,
        recording=shared.recording,
        plugins=shared.plugins,
        offered=shared.offered,
        epochs=shared.epochs,
        shards=shared.settings.collect.shards,
        lifetime=shared.settings.notifications.subscription_lifetime,
    )


def _delivery(
    shared: _Shared, recorders: Mapping[str, GroupRecorder], delivering: Http
) -> Delivery:
    settings, recording, following = shared.settings, shared.recording, shared.following
    return delivery_of(settings, recording, following, recorders, delivering, epochs=shared.epochs)


def _triggers(
    shared: _Shared,
    watching: Watching,
    sinks: Mapping[str, Sequence[Delivering]],
    run: RunAction,
    process: str,
) -> Running:
    settings, recording, following = shared.settings, shared.recording, shared.following
    return running_of(
        settings,
        watching,
        recording,
        following,
        sinks=sinks,
        run=run,
        process=process,
        epochs=shared.epochs,
    )


def _bus(shared: _Shared) -> Bus | None:
    ask, write, clock = shared.following.ask, shared.recording.write, shared.recording.store.clock
    return bus_of(shared.settings, ask=ask, write=write, epochs=shared.epochs, clock=clock)


def _offered(settings: Settings, recording: Recording, ways: Ways, events: BusEvents) -> Offered:
    url = settings.server.public_url.rstrip("/")

    def consumers(assignment: Assignment) -> StoreConsumers:
        opened, takes_reports = (assignment.group_id, assignment.id), bool(settings.reports.tokens)
        return StoreConsumers(recording.write, url, *opened, takes_reports=takes_reports)

    return Offered(
        ways.http,
        ways.run_probe,
        recording.store.clock.now,
        consumers=consumers,
        subscription_lifetime=settings.notifications.subscription_lifetime,
        events=events,
        logins=logins_of(settings.collect.logins),
    )


def _recorders(
    recording: Recording, sinks: Mapping[str, Sequence[Delivering]]
) -> dict[str, GroupRecorder]:
    return {
        name: GroupRecorder(name, recording=recording, sinks=its) for name, its in sinks.items()
    }


def _recording(settings: Settings, store: Store, holder: str) -> Recording:
    return Recording(
        store,
        holder,
        settings.collect.stale_intervals,
        write_timeout=settings.store.write_timeout,
    )


def _lease(settings: CollectSettings, recording: Recording) -> Lease:
    shards, ttl = range(settings.shards), settings.lease_ttl
    take = partial(take_shards, holder=recording.holder, shards=shards, ttl=ttl)
    return Lease(lambda: recording.write(take), ttl=ttl)


def _housekeeping(
    settings: Settings, recording: Recording, lease: Lease, process: str
) -> Housekeeping:
    return Housekeeping(
        recording,
        process=process,
        is_leader=lambda: bool(lease.epochs),
        interval=settings.collect.housekeeping_interval,
        changes_kept=settings.store.changes_kept,
        prunings=prunings_of(settings),
    )


def _keeping_time(recording: Recording, lease: Lease, housekeeping: Housekeeping) -> KeepingTime:
    return KeepingTime(
        recording,
        is_leader=lambda: bool(lease.epochs),
        on_host_set=housekeeping.clock_was_set,
    )


def _share(settings: Settings, probing: set[str], source: str) -> int:
    """How many collections of a source may run at once: one that runs probes, as many as those."""
    if source in probing:
        return settings.probes.max_concurrent
    return max(1, settings.collect.max_concurrent * 3 // 4)
