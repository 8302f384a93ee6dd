"""``aggregator query``: an XPath over a service group, without a word of SOAP."""

from __future__ import annotations

from typing import Any

import click

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.prefixes import namespace_option, prefixes
from aggregator.cli.showing import Output, output_option, result_items, show_items
from aggregator.cli.toolkit import Toolkit, check_address
from aggregator.cli.toolkit_options import dialect_option, url_options
from aggregator.client.resource import Resource
from aggregator.client.spoken import DialectChoice, call_in_either, candidates
from aggregator.wire.epr import EndpointReference


@click.command(
    cls=OneLineCommand,
    short_help="Query a service group with an XPath.",
    epilog="\b\nExample:\n  aggregator query "
    'http://127.0.0.1:8080/wsrf/services/DefaultIndexService "//sg:Entry[.//glue:Host]"',
)
@url_options
@dialect_option
@namespace_option()
@output_option("xml")
@click.argument("url")
@click.argument("xpath", default="/")
def query(
    *,
    toolkit: Toolkit,
    url: str,
    xpath: str,
    dialect: DialectChoice,
    namespaces: tuple[str, ...],
    output: Output,
) -> None:
    """Query the service group, or any WS-Resource, at URL with the XPath 1.0 expression XPATH.

    Without XPATH the whole resource property document is shown. A number, string or boolean is
    shown as text, elements as XML.
    """

    def ask(resource: Resource) -> Any:
        return resource.query(xpath, prefixes=prefixes(resource.dialect, namespaces))

    endpoint = EndpointReference(check_address(url))
    reply = call_in_either(toolkit.client(), endpoint, candidates(dialect), ask)
    show_items(result_items(reply), output)
