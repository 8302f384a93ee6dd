"""QueryArchive: what an archive's group kept, by XPath and time."""

from __future__ import annotations

from aggregator.archive.asked import read_question, token
from aggregator.errors import UnknownOperation
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.wire import namespaces as ns


def query_archive(site: Site, request: Request) -> Reply:
    """The nodes that an expression finds in what was delivered, each with when and where from."""
    group = site.registry.group(request.target.group)
    if not group.settings.is_archived:
        raise UnknownOperation(
            f"{group.name} keeps no archive; a group does that has archive among its sinks"
        )
    asked = read_question(request.envelope.body)
    found = site.archive.query(group.name, group.id, asked, caller=request.caller.owner)
    more = "" if found.next is None else f' next="{token(found.next)}"'
    opening = f'<a:QueryArchiveResponse xmlns:a="{ns.ARCHIVE}"{more}>'
    return reply(opening.encode(), *found.pieces, b"</a:QueryArchiveResponse>")
