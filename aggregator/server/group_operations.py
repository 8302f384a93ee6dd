"""What a service group does when it is called."""

from __future__ import annotations

from aggregator.registry.add import add as register
from aggregator.server import reads
from aggregator.server.properties import Scene
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.store.writing import Writing
from aggregator.view.fragments import GroupFacts
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import write_epr, write_epr_content
from aggregator.wire.times import format_datetime


def scene_of_group(site: Site, request: Request) -> Scene:
    """What the group that a request addresses is like now."""
    group = site.registry.group(request.target.group)
    view = site.views.current(group.name)
    return Scene(site, group, view, site.registry.store.clock.now(), view.stale_since)


def get_property(site: Site, request: Request) -> Reply:
    """One property of the group."""
    return reads.get_property(scene_of_group(site, request), request)


def get_properties(site: Site, request: Request) -> Reply:
    """Several properties of the group."""
    return reads.get_properties(scene_of_group(site, request), request)


def get_document(site: Site, request: Request) -> Reply:
    """All properties of the group."""
    return reads.get_document(scene_of_group(site, request), request)


def query(site: Site, request: Request) -> Reply:
    """An XPath on the group's properties."""
    return reads.query(scene_of_group(site, request), request)


def add(site: Site, request: Request) -> Writing[Reply]:
    """Add: register a member; the reply is sent after the commit is on disk."""
    group = site.registry.group(request.target.group)
    dialect = request.dialect
    added = yield from register(
        site.registry, group, request.envelope.body, dialect=dialect, caller=request.caller
    )
    epr = GroupFacts(name=group.name, address=group.address).entry_epr(added.entry.key)
    if dialect.family == "gt4":
        # The draft's AddResponse is of type EndpointReferenceType itself.
        opening = f'<sg:AddResponse xmlns:sg="{dialect.sg}" xmlns:wsa="{dialect.wsa}">'
        content = write_epr_content(epr, dialect=dialect)
        return reply(opening.encode(), content, b"</sg:AddResponse>")
    termination = added.termination
    time = "<sg:TerminationTime"
    time += (
        ' xsi:nil="true"/>'
        if termination is None
        else (f">{format_datetime(termination)}</sg:TerminationTime>")
    )
    return reply(
        f'<sg:AddResponse xmlns:sg="{dialect.sg}" xmlns:xsi="{ns.XSI}">'.encode(),
        write_epr(epr, name="ServiceGroupEntryReference", namespace=dialect.sg, dialect=dialect),
        f"{time}<sg:CurrentTime>{format_datetime(added.now)}</sg:CurrentTime>".encode(),
        b"</sg:AddResponse>",
    )
