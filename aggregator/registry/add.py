"""Add: a registration is read, checked as a whole, and stored durably, or refused by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aggregator.contract import ConfigBlock
from aggregator.errors import AddRefused, ConfigError, RequestError, RequestTooLarge
from aggregator.model import Caller, Plan, Registration
from aggregator.registry.add_request import CONFIG, config_of, member_of, read_add, requested
from aggregator.registry.fingerprint import fingerprint
from aggregator.registry.lifetime import initial_termination
from aggregator.registry.membership import check_not_self, check_rules
from aggregator.registry.registry import Registry, ServiceGroup
from aggregator.registry.selection import select_source, why_none
from aggregator.registry.storing import Added, store
from aggregator.store.writing import Writing
from aggregator.waiting import waiting
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import EndpointReference, read_epr
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.parse import Element, serialise, serialise_all

log = logging.getLogger(__name__)

DATA = clark(AGG, "AggregatorData")
ERROR = clark(AGG, "AggregatorError")
#: Bytes that a plain registry keeps of one Content, each child with the namespaces in scope.
_MOST_CONTENT = 16 * 1024 * 1024
#: Children of a Content that are written in no time.
_FEW = 64


def add(
    registry: Registry, group: ServiceGroup, body: Element, *, dialect: Dialect, caller: Caller
) -> Writing[Added]:
    """Register what the Add element asks for; returns after the commit is on disk.

    Raises AddRefused or one of its kind; then nothing is stored, but the RegistrationCount,
    which counts refused Adds too (MDS4 bumped it at the very start).
    """
    try:
        registration = _check(registry, group, body, dialect=dialect, caller=caller)
        added = yield from store(registry, group, registration)
    except (ConfigError, RequestError) as error:
        registry.counter.refused(group.id)
        told = {"group": group.name, "member": member_of(body), "caller": caller.owner}
        log.info("refused an Add: %s", error, extra=told)
        if isinstance(error, ConfigError):
            raise AddRefused(str(error)) from error
        raise
    log.info(
        "added" if added.is_new else "renewed",
        extra={"group": group.name, "entry": added.entry.key, "member": registration.address},
    )
    return added


def _check(
    registry: Registry, group: ServiceGroup, body: Element, *, dialect: Dialect, caller: Caller
) -> Registration:
    request = read_add(body)
    member = read_epr(request.member)
    check_not_self(member.address, own=_own_addresses(registry, group), here=registry.here)
    now = registry.store.clock.now()
    wanted = requested(request.termination, now)
    config = config_of(request.content)
    # May have to wait for a file system, and is begun again then: what is told comes after it.
    plan, sink_plans = _plans(registry, group, config, member, dialect)
    content = _static_content(group, request.content, plan)
    termination = initial_termination(
        wanted, family=dialect.family, group=group, now=now, member=member.address
    )
    check_rules(group.settings.membership_rules, content=request.content, extensions=member.others)
    config_bytes = b"" if config is None else serialise(config)
    return Registration(
        group=group.name,
        member=serialise(request.member),
        address=member.address,
        dialect=dialect.name,
        config=config_bytes,
        content=content,
        plan=plan,
        sink_plans=sink_plans,
        termination=termination,
        # Only looked for where duplicates renew; elsewhere an index of digests would cost each Add.
        fingerprint=fingerprint(member, config_bytes)
        if group.settings.on_duplicate == "renew"
        else "",
        caller=caller,
    )


def _own_addresses(registry: Registry, group: ServiceGroup) -> tuple[str, ...]:
    """The public address of the group, and the one behind a proxy, which the proxy can reach."""
    server = registry.settings.server
    scheme = "https" if server.tls_cert else "http"
    host = f"[{server.host}]" if ":" in server.host else server.host
    return group.address, f"{scheme}://{host}:{server.port}/wsrf/services/{group.name}"


def _plans(
    registry: Registry,
    group: ServiceGroup,
    config: Element | None,
    member: EndpointReference,
    dialect: Dialect,
) -> tuple[Plan | None, Mapping[str, Plan]]:
    if config is None:
        if group.settings.require_source:
            raise AddRefused(
                "Invalid Parameter Type (expected AggregatorConfig): the Content must hold "
                f"{CONFIG}"
            )
        return None, {}
    facts = registry.facts(group)
    plan = None
    allowed = group.settings.sources
    selected = select_source(config, registry.plugins, allowed=allowed, sinks=group.settings.sinks)
    if selected is not None:
        source, element = selected
        block = ConfigBlock(element=element, config=config, member=member, dialect=dialect.name)
        plan = source.source.check(block, group=facts)
        _check_interval(plan, group)
    elif group.settings.require_source:
        raise AddRefused(
            "addAggregation Operation Failed: Could not locate an Aggregator source that was "
            "compatible with the specified parameters: "
            f"{why_none(config, registry.plugins, allowed=allowed)}"
        )
    sink_plans = {}
    for name in group.settings.sinks:
        sink_plan = registry.plugins.sinks[name].sink.check(config, group=facts)
        if sink_plan is not None:
            sink_plans[name] = sink_plan
    return plan, sink_plans


def _check_interval(plan: Plan, group: ServiceGroup) -> None:
    longest = group.settings.max_interval_millis
    if plan.interval > longest:
        raise ConfigError(
            f"{plan.interval} is over the {longest} ms that this group takes at most",
            element="PollIntervalMillis",
        )


def _static_content(
    group: ServiceGroup, content: Element | None, plan: Plan | None
) -> tuple[bytes, ...]:
    """What a plain registry publishes; AggregatorData sent to an aggregator is dropped.

    Beside a configuration that are the children of AggregatorData, which is written around them
    again; without one it is the Content as it came.
    """
    if plan is not None or content is None or group.settings.require_source:
        return ()
    holder = content if content.find(CONFIG) is None else content.find(DATA)
    if holder is None:
        return ()
    children = [child for child in holder.iterchildren(tag="*") if child.tag != ERROR]
    if len(children) > _FEW:
        # Each is written with all namespaces in scope, which may come to megabytes.
        with waiting():
            pass
    try:
        return serialise_all(children, limit=_MOST_CONTENT)
    except RequestTooLarge as error:
        raise AddRefused(f"the Content is too large: {error}") from error
