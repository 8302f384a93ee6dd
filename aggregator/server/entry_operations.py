"""What an entry of a service group does when it is called."""

from __future__ import annotations

from aggregator.errors import ResourceUnknown, StoreUnavailable, TerminationTimeRejected
from aggregator.registry import lifetime
from aggregator.registry.lifetime import Renewal, unknown_entry
from aggregator.registry.registry import ServiceGroup
from aggregator.server import reads
from aggregator.server.properties import Scene
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.store.writing import Writing
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES
from aggregator.wire.parse import text_of
from aggregator.wire.subscription_replies import termination_response
from aggregator.wire.times import parse_datetime, parse_duration

#: Where the parts of SetTerminationTime may be; some clients don't qualify them.
_NAMESPACES = frozenset({"", *(dialect.rl for dialect in FAMILIES)})


def _key(request: Request, group: ServiceGroup) -> str:
    """The entry's key: from the header, or from the path; both must agree where both are there."""
    key = request.target.key
    header = request.envelope.entry_key()
    if header is not None:
        group_key, entry_key = header
        if group_key and group_key != group.name:
            raise ResourceUnknown(
                f"the GroupKey {group_key[:100]!r} is not of this group, {group.name!r}"
            )
        if key and key != entry_key:
            raise ResourceUnknown(
                f"the path names the entry {key[:100]!r}, the header {entry_key[:100]!r}"
            )
        key = entry_key
    if not key or not key.isprintable():
        # No key of ours has control characters, and not every database takes them in a question.
        raise unknown_entry(group, key)
    return key


def scene_of_entry(site: Site, request: Request) -> Scene:
    """What the entry that a request addresses is like now."""
    group = site.registry.group(request.target.group)
    key = _key(request, group)
    view = site.views.current(group.name)
    now, stale_since = site.registry.store.clock.now(), view.stale_since
    entry = view.entry(key, now=now)
    if entry is None and stale_since is not None:
        # It may have been added, or renewed, after this worker last knew the store.
        raise StoreUnavailable(f"the store is away, and the entry {key!r} was not known before")
    if entry is None:
        raise unknown_entry(group, key)
    return Scene(site, group, view, now, stale_since, entry)


def get_property(site: Site, request: Request) -> Reply:
    """One property of the entry."""
    return reads.get_property(scene_of_entry(site, request), request)


def get_properties(site: Site, request: Request) -> Reply:
    """Several properties of the entry."""
    return reads.get_properties(scene_of_entry(site, request), request)


def get_document(site: Site, request: Request) -> Reply:
    """All properties of the entry."""
    return reads.get_document(scene_of_entry(site, request), request)


def query(site: Site, request: Request) -> Reply:
    """An XPath on the entry's properties."""
    return reads.query(scene_of_entry(site, request), request)


def set_termination_time(site: Site, request: Request) -> Writing[Reply]:
    """SetTerminationTime: renew, shorten or end the registration, durably."""
    group = site.registry.group(request.target.group)
    renewal = Renewal(_key(request, group), _requested(site, request))
    granted = yield from lifetime.set_termination_time(group, renewal)
    return reply(
        termination_response(
            dialect=request.dialect, now=granted.now, termination=granted.termination
        )
    )


def _requested(site: Site, request: Request) -> int | None:
    """The instant that is asked for, None for never (nil; WS-ResourceLifetime 1.2, section 5.1)."""
    for element in request.envelope.body.iterchildren(tag="*"):
        namespace, _, name = str(element.tag).rpartition("}")
        if namespace[1:] not in _NAMESPACES:
            continue
        try:
            if name == "RequestedTerminationTime":
                if element.get(ns.clark(ns.XSI, "nil"), "").strip() in ("true", "1"):
                    return None
                return parse_datetime(text_of(element))
            if name == "RequestedLifetimeDuration":
                return parse_duration(text_of(element), start=site.registry.store.clock.now())
        except ValueError as error:
            raise TerminationTimeRejected(f"{name}: {error}") from error
    raise TerminationTimeRejected(
        "the request holds neither RequestedTerminationTime nor RequestedLifetimeDuration"
    )


def destroy(site: Site, request: Request) -> Writing[Reply]:
    """Destroy: end the registration at once, durably (MDS4 had no such operation on entries)."""
    group = site.registry.group(request.target.group)
    yield from lifetime.destroy(group, _key(request, group))
    return reply(f'<rl:DestroyResponse xmlns:rl="{request.dialect.rl}"/>'.encode())
