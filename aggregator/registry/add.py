"""Add: a registration is read, checked as a whole, and stored durably, or refused by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from aggregator.contract import ConfigBlock
from aggregator.errors import AddRefused, ConfigError, RequestError, RequestTooLarge
from aggregator.model import Caller, Entry, Plan, Registration
from aggregator.registry.fingerprint import fingerprint
from aggregator.registry.lifetime import initial_termination
from aggregator.registry.membership import check_not_self, check_rules
from aggregator.registry.registry import Registry, ServiceGroup
from aggregator.registry.selection import select_source, why_none
from aggregator.store.entries import (
    add_entry,
    count_entries,
    find_duplicate,
    new_key,
    renew_entries,
)
from aggregator.store.write import Write
from aggregator.store.writing import Writing
from aggregator.waiting import waiting
from aggregator.wire.dialects import FAMILIES, Dialect
from aggregator.wire.epr import EndpointReference, read_epr
from aggregator.wire.namespaces import AGG, XSI, clark
from aggregator.wire.parse import Element, serialise, serialise_all, text_of
from aggregator.wire.times import parse_moment

log = logging.getLogger(__name__)

CONFIG = clark(AGG, "AggregatorConfig")
DATA = clark(AGG, "AggregatorData")
ERROR = clark(AGG, "AggregatorError")
#: Where the parts of an Add may be; some clients don't qualify them.
_NAMESPACES = frozenset({"", *(dialect.sg for dialect in FAMILIES)})
#: Bytes that a plain registry keeps of one Content, each child with the namespaces in scope.
_MOST_CONTENT = 16 * 1024 * 1024
#: Children of a Content that are written in no time.
_FEW = 64
#: Characters of a refused member's address in the log.
_MOST_TOLD = 200


@dataclass(frozen=True, slots=True)
class Added:
    """The entry that an Add made, or found where duplicates renew, and when it ends now."""

    entry: Entry
    termination: int | None
    now: int
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class _Request:
    """The three parts of an Add (WS-ServiceGroup 1.2, section 4.5) as elements."""

    member: Element
    content: Element | None
    termination: Element | None


def add(
    registry: Registry, group: ServiceGroup, body: Element, *, dialect: Dialect, caller: Caller
) -> Writing[Added]:
    """Register what the Add element asks for; returns after the commit is on disk.

    Raises AddRefused or one of its kind; then nothing is stored, but the RegistrationCount,
    which counts refused Adds too (MDS4 bumped it at the very start).
    """
    try:
        registration = _check(registry, group, body, dialect=dialect, caller=caller)
        added: Added = yield lambda write: _store(registry, group, registration, write)
    except (ConfigError, RequestError) as error:
        registry.counter.refused(group.id)
        told = {"group": group.name, "member": _member_of(body), "caller": caller.owner}
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
    request = _read(body)
    member = read_epr(request.member)
    check_not_self(member.address, own=_own_addresses(registry, group), here=registry.here)
    now = registry.store.clock.now()
    wanted = _requested(request.termination, now)
    config = _config(request.content)
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


def _read(body: Element) -> _Request:
    parts: dict[str, Element] = {}
    for child in body.iterchildren(tag="*"):
        namespace, _, name = str(child.tag).rpartition("}")
        if namespace[1:] not in _NAMESPACES:
            continue
        if name in parts:
            raise AddRefused(f"the Add holds {name} more than once")
        parts[name] = child
    member = parts.get("MemberEPR")
    if member is None:
        given = ", ".join(str(child.tag) for child in body.iterchildren(tag="*")) or "nothing"
        raise AddRefused(f"the Add has no MemberEPR; it holds {given[:200]}")
    termination = parts.get("InitialTerminationTime")
    return _Request(member, parts.get("Content"), termination)


def _member_of(body: Element) -> str:
    """The address that a refused Add gives its member, as far as it can be told."""
    address = body.find("{*}MemberEPR/{*}Address")
    return "" if address is None else text_of(address)[:_MOST_TOLD]


def _requested(element: Element | None, now: int) -> int | None:
    if element is None or element.get(clark(XSI, "nil"), "").strip() in ("true", "1"):
        return None
    try:
        return parse_moment(text_of(element), now=now)
    except ValueError as error:
        raise AddRefused(f"InitialTerminationTime: {error}") from error


def _config(content: Element | None) -> Element | None:
    found = [] if content is None else content.findall(CONFIG)
    if len(found) > 1:
        raise AddRefused(
            "the Content holds AggregatorConfig more than once; register the member once for each"
        )
    return found[0] if found else None


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
    selected = select_source(config, registry.plugins, allowed=allowed)
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


def _store(
    registry: Registry, group: ServiceGroup, registration: Registration, write: Write
) -> Added:
    settings, owner = group.settings, registration.caller.owner
    if settings.on_duplicate == "renew":
        found = find_duplicate(write.connection, group.id, registration.fingerprint, write.now)
        if found is not None:
            renew_entries(write, [(group.id, found.key, registration.termination)])
            registry.counter.accepted(write, group.id)
            return Added(found, registration.termination, write.now, is_new=False)
    count = count_entries(write, group.id, limit=settings.max_entries)
    if count >= settings.max_entries:
        raise AddRefused(
            f"{group.name} holds {count} entries, which is all that max_entries allows"
        )
    if settings.max_entries_per_caller:
        own = count_entries(write, group.id, owner, limit=settings.max_entries_per_caller)
        if own >= settings.max_entries_per_caller:
            raise AddRefused(
                f"{owner or 'this caller'} has {own} entries in {group.name}, which is all that "
                "max_entries_per_caller allows"
            )
    due = write.now if registration.plan is not None and registration.plan.interval else None
    entry = add_entry(write, registration, group_id=group.id, due=due, key=new_key(write.now))
    registry.counter.accepted(write, group.id)
    return Added(entry, entry.termination, write.now)
