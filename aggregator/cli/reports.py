"""``aggregator reports``: what is known of aggregators and nodes, and of reports that are dead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from lxml import etree

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.report_options import client_of, good, service_options
from aggregator.cli.showing import Output, output_option, readable, show_json, show_table
from aggregator.cli.toolkit import Toolkit
from aggregator.client.reports import ReportClient

Row = Mapping[str, Any]
_KEYS = {"nodes": "node", "dead": "number"}


@click.command(
    cls=OneLineCommand,
    short_help="List the aggregators of reports, nodes, or dead reports.",
    epilog="\b\nExample:\n  aggregator reports --token-file admin.token dead",
)
@service_options
@output_option("table")
@click.option(
    "--retry", type=int, metavar="NUMBER", help="Have a dead report tried again, and list nothing."
)
@click.argument("what", type=click.Choice(["aggregators", "nodes", "dead"]), default="aggregators")
def reports(
    *, toolkit: Toolkit, token_file: str, output: Output, retry: int | None, what: str
) -> None:
    """List WHAT: the aggregators, the nodes that report, or the reports that failed too often."""
    client = client_of(toolkit, token_file)
    if retry is not None:
        good(client.revive(retry))
        click.echo(f"{retry} is tried again")
        return
    rows = list(_rows(client, what))
    if output == "json":
        show_json(rows)
    elif output == "xml":
        click.echo(readable(_element(what, rows)))
    else:
        header = list(rows[0]) if rows else ["aggregator" if what == "aggregators" else what]
        show_table(header, [[_cell(row[name]) for name in header] for row in rows])


def _rows(client: ReportClient, what: str) -> Iterator[Row]:
    """All pages of it."""
    if what == "aggregators":
        yield from json.loads(good(client.status()).body)["aggregators"]
        return
    after = ""
    while True:
        page = json.loads(good(client.status(what, after=after)).body)
        yield from page[what]
        if not page["more"]:
            return
        after = str(page[what][-1][_KEYS[what]])


def _cell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value).split())


def _element(what: str, rows: Sequence[Row]) -> etree._Element:
    root = etree.Element(what)
    for row in rows:
        child = etree.SubElement(root, what.removesuffix("s"))
        for name, value in row.items():
            child.set(name, "".join(one if one.isprintable() else "?" for one in _cell(value)))
    return root
