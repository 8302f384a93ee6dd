"""``aggregator entries``: who is registered in a service group, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.showing import Output, output_option, readable, show_json, show_table
from aggregator.cli.toolkit import Toolkit, check_address
from aggregator.cli.toolkit_options import dialect_option, url_options
from aggregator.client.resource import Resource
from aggregator.client.spoken import DialectChoice, call_in_either, candidates
from aggregator.errors import ConfigError
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import EndpointReference, read_epr
from aggregator.wire.parse import Element, parse


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry in a line: its member, what collects, what came, what went wrong, and its key."""

    member: str
    source: str
    data: tuple[str, ...]
    error: str
    entry: str


@click.command(
    cls=OneLineCommand,
    short_help="List the entries of a service group.",
    epilog="\b\nExample:\n  aggregator entries http://127.0.0.1:8080/wsrf/services/DefaultIndexService",
)
@url_options
@dialect_option
@output_option("table")
@click.argument("url")
def entries(*, toolkit: Toolkit, url: str, dialect: DialectChoice, output: Output) -> None:
    """List the entries of the service group at URL.

    The columns are the member's address, the element that tells how it is collected, the elements
    that were collected, the trouble if there is one, and the key of the entry.
    """

    def ask(resource: Resource) -> Sequence[Element]:
        return resource.get_property(ns.clark(resource.dialect.sg, "Entry"))

    endpoint = EndpointReference(check_address(url))
    found = call_in_either(toolkit.client(), endpoint, candidates(dialect), ask)
    if output == "xml":
        for entry in found:
            click.echo(readable(entry))
        return
    rows = [read_row(entry) for entry in found]
    if output == "json":
        show_json([asdict(row) for row in rows])
    else:
        cells = [
            (row.member, row.source, ", ".join(row.data), row.error, row.entry) for row in rows
        ]
        show_table(("member", "source", "data", "error", "entry"), cells)


def read_row(entry: Element) -> EntryRow:
    """The row of an Entry element, in any dialect; what it lacks is empty."""
    parts = {_local(child): child for child in entry.iterchildren(tag="*")}
    content = parts.get("Content")
    pieces: dict[str, Element] = {}
    if content is not None:
        pieces = {_local(child): child for child in content.iterchildren(tag="*")}
    return EntryRow(
        member=_address(parts.get("MemberServiceEPR")),
        source=", ".join(_names(pieces.get("AggregatorConfig"))),
        data=tuple(dict.fromkeys(_names(pieces.get("AggregatorData")))),
        error=_trouble(pieces.get("AggregatorError")),
        entry=_key(parts.get("ServiceGroupEntryEPR")),
    )


def _names(parent: Element | None) -> list[str]:
    return [] if parent is None else [_local(child) for child in parent.iterchildren(tag="*")]


def _address(element: Element | None) -> str:
    epr = _epr(element)
    return "" if epr is None else epr.address


def _key(element: Element | None) -> str:
    epr = _epr(element)
    if epr is None:
        return ""
    for reference in epr.references:
        key = parse(reference).findtext(ns.clark(ns.AGG, "EntryKey"))
        if key:
            return key.strip()
    return epr.address


def _epr(element: Element | None) -> EndpointReference | None:
    try:
        return None if element is None else read_epr(element)
    except ConfigError:
        return None


def _trouble(error: Element | None) -> str:
    if error is None:
        return ""
    told = {_local(node): " ".join((node.text or "").split()) for node in error.iter("*")}
    words = [told.get("code", ""), told.get("message", "")]
    text = ": ".join(word for word in words if word)
    return text or " ".join("".join(map(str, error.itertext())).split())


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
