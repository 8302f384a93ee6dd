"""``mds-archive-query`` of MDS4: an XPath on what an archive kept of a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from aggregator.cli.instants import instant
from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.prefixes import prefixes
from aggregator.cli.showing import Output, output_option, result_items, show_items
from aggregator.cli.toolkit import Toolkit
from aggregator.cli.toolkit_options import dialect_option, toolkit_options
from aggregator.client.bodies import ArchiveQuery
from aggregator.client.resource import Resource
from aggregator.client.spoken import DialectChoice, call_in_either, candidates
from aggregator.wire.parse import Element


@click.command(
    "mds-archive-query",
    cls=OneLineCommand,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  mds-archive-query "
    '-s https://host:8443/wsrf/services/ArchiveService -q "//rl:CurrentTime" '
    "-from 2026-11-29T00:00:00Z -to 2026-11-30",
)
@toolkit_options
@dialect_option
@click.option("-q", "--query", "xpath", required=True, metavar="XPATH", help="XPath 1.0.")
@click.option(
    "-from", "--from", "since", default="", metavar="ISO8601", help="When it came, at the earliest."
)
@click.option(
    "-to", "--to", "until", default="", metavar="ISO8601", help="When it came, at the latest."
)
@click.option("--member", default="", metavar="ADDRESS", help="Of this member alone.")
@click.option("--entry", default="", metavar="KEY", help="Of the entry with this key alone.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Most documents that are answered from; where there are more, a line on standard error "
    "says how to go on.",
)
@click.option("--after", default="", metavar="TOKEN", help="Go on after what was answered before.")
@output_option("xml")
@click.argument("namespaces", nargs=-1, metavar="[xmlns:PREFIX=URI]...")
def query(
    *,
    toolkit: Toolkit,
    dialect: DialectChoice,
    xpath: str,
    since: str,
    until: str,
    member: str,
    entry: str,
    limit: int | None,
    after: str,
    output: Output,
    namespaces: tuple[str, ...],
) -> None:
    """Show what the XPath finds in each document that an archive kept, oldest first.

    A time is like 2026-11-29T18:59:49Z; without a zone it is UTC, and a day alone is its beginning.
    Every element says where it was found (src:col, src:key) and of whom and when it came.
    Prefixes are declared as xmlns:glue=http://mds.globus.org/glue/ce/1.1; the usual ones are known.
    """
    asked = ArchiveQuery(
        xpath,
        {},
        instant("-from", since),
        instant("-to", until),
        member,
        entry,
        limit or 0,
        after,
    )
    items: list[Element | str] = []
    more = ""
    for reply in _replies(toolkit, dialect, asked, namespaces):
        items += result_items(reply)
        more = reply.get("next", "")
        if output == "xml":
            # Of a page alone, so that any number of them can be shown.
            show_items(items, output)
            items.clear()
    if output != "xml":
        show_items(items, output)
    if more:
        click.echo(f"there is more: --after {more}", err=True)


def _replies(
    toolkit: Toolkit, dialect: DialectChoice, asked: ArchiveQuery, namespaces: Sequence[str]
) -> Iterator[Element]:
    """Page after page, until there is no more or as many were answered as are wanted."""
    endpoint = toolkit.endpoint()
    toolkit.check_protection([endpoint.address])
    client = toolkit.client()
    spoken = candidates(dialect, epr=toolkit.written())
    left = asked.limit
    while True:

        def ask(resource: Resource, asked: ArchiveQuery = asked) -> Element:
            known = prefixes(resource.dialect, namespaces)
            return resource.query_archive(replace(asked, prefixes=known))

        reply = call_in_either(client, endpoint, spoken, ask)
        yield reply
        left -= documents(reply)
        after = reply.get("next", "")
        if not after or (asked.limit and left <= 0):
            return
        asked = replace(asked, after=after, limit=max(left, 0))


def documents(reply: Element) -> int:
    """From how many documents a reply answers."""
    return len({_place(node) for node in reply.iterchildren(tag="*")})


def _place(node: Element) -> tuple[str | None, ...]:
    return tuple(node.get(f"{{urn:mds-aggregator:archive}}{name}") for name in ("entry", "first"))
