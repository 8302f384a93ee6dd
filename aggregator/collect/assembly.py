"""The collector's parts put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aggregator.bus.assembly import bus_of, prune
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
from aggregator.collect.receiving import Receiving
from aggregator.collect.recording import GroupRecorder, Recording
from aggregator.collect.releasing import Releasing
from aggregator.config import Settings
from aggregator.config.collection import CollectSettings
from aggregator.contract import Http, RunProbe
from aggregator.notify.conditions import Conditions
from aggregator.notify.delivery import Delivery
from aggregator.notify.group_feeds import NotifiedGroup
from aggregator.notify.subscription import Switches
from aggregator.registry.plugins import Plugins
from aggregator.store.collection import Assignment
from aggregator.store.engine import Store
from aggregator.store.leases import take_shards
from aggregator.view.fragments import GroupFacts
from aggregator.view.query_socket import query_socket

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


def assemble(
    settings: Settings,
    *,
    store: Store,
    plugins: Plugins,
    http: Http,
    delivering: Http,
    run_probe: RunProbe,
    holder: str,
    process: str,
) -> Parts:
    """Put the parts together; raises ConfigError for a sink that is not installed.

    `http` is the way to members, `delivering` that to consumers. `holder` is the name under which
    the lease is held, `process` that of this process.
    """
    recording = _recording(settings, store, holder)
    sinks = deliverings(settings, plugins, store)
    recorders = _recorders(recording, sinks)
    lease = _lease(settings.collect, recording)
    farewell = Farewell(plugins=plugins, sinks=sinks, recording=recording)
    events = BusEvents(settings, store)
    offered = _offered(settings, recording, http, run_probe, events)
    shared = _Shared(
        settings=settings,
        plugins=plugins,
        recording=recording,
        following=Following(store, shards=settings.collect.shards),
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
        delivery=_delivery(shared, recorders, delivering),
        bus=_bus(shared),
        events=events,
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
    settings = shared.settings
    services = f"{settings.server.public_url.rstrip('/')}/wsrf/services/"
    delivery = Delivery(
        settings.notifications,
        groups={
            name: NotifiedGroup(
                GroupFacts(
                    name=name,
                    address=f"{services}{name}",
                    publish_configuration=group.publish_configuration,
                    stale_intervals=settings.collect.stale_intervals,
                ),
                Switches(
                    renewals=group.notify_on_lifetime_extension,
                    contents=group.notify_on_content_change,
                ),
            )
            for name, group in settings.groups.items()
        },
        manager=f"{services}SubscriptionManagerService",
        http=delivering,
        conditions=Conditions(query_socket(settings), timeout=settings.query.timeout),
        ask=shared.following.ask,
        write=shared.recording.write,
        epochs=shared.epochs,
        shards=settings.collect.shards,
        clock=shared.offered.clock,
    )
    for recorder in recorders.values():
        recorder.on_recorded = delivery.look_soon
    return delivery


def _bus(shared: _Shared) -> Bus | None:
    ask, write, clock = shared.following.ask, shared.recording.write, shared.recording.store.clock
    return bus_of(shared.settings, ask=ask, write=write, epochs=shared.epochs, clock=clock)


def _offered(
    settings: Settings, recording: Recording, http: Http, run_probe: RunProbe, events: BusEvents
) -> Offered:
    url = settings.server.public_url.rstrip("/")

    def consumers(assignment: Assignment) -> StoreConsumers:
        opened, takes_reports = (assignment.group_id, assignment.id), bool(settings.reports.tokens)
        return StoreConsumers(recording.write, url, *opened, takes_reports=takes_reports)

    return Offered(
        http,
        run_probe,
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
        prune_events=partial(prune, settings=settings),
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
