"""The commands ``wsrf-*`` of Java WS Core: one operation on one resource each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.prefixes import namespace_option, prefixes
from aggregator.cli.showing import Output, output_option, result_items, show_items
from aggregator.cli.toolkit import Toolkit, check_clark
from aggregator.cli.toolkit_options import dialect_option, toolkit_options
from aggregator.client.resource import Lifetime, Resource
from aggregator.client.spoken import DialectChoice, call_in_either, candidates
from aggregator.errors import ConfigError, RemoteFault
from aggregator.registrant.kept import Clock, is_gone
from aggregator.wire import namespaces as ns
from aggregator.wire.times import SECOND, format_datetime

T = TypeVar("T")
_HELP = {"help_option_names": ["-h", "--help"]}
_RESOURCE = "-s https://host:8443/wsrf/services/DefaultIndexService"


def _command(name: str, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    return click.command(
        name,
        cls=OneLineCommand,
        context_settings=_HELP,
        epilog=f"\b\nExample:\n  {name} {example}",
    )


def _on_resource(
    toolkit: Toolkit, dialect: DialectChoice, call: Callable[[Resource], T], *, hint: str = ""
) -> T:
    endpoint = toolkit.endpoint()
    toolkit.check_protection([endpoint.address])
    tried = candidates(dialect, epr=toolkit.written(), hint=hint)
    return call_in_either(toolkit.client(), endpoint, tried, call)


@_command("wsrf-query", f"""{_RESOURCE} "count(//*[local-name()='Entry'])\"""")
@toolkit_options
@dialect_option
@namespace_option()
@output_option("xml")
@click.argument("xpath", default="/")
@click.argument("query_dialect", default=ns.XPATH_1, metavar="[DIALECT]")
def query(
    *,
    toolkit: Toolkit,
    dialect: DialectChoice,
    namespaces: tuple[str, ...],
    output: Output,
    xpath: str,
    query_dialect: str,
) -> None:
    """Query the resource properties of a resource with an expression, XPATH.

    Without XPATH the whole resource property document is shown. DIALECT is the address of the
    query language; services here speak XPath 1.0. A number, string or boolean is shown as text.
    """

    def ask(resource: Resource) -> Any:
        known = prefixes(resource.dialect, namespaces)
        return resource.query(xpath, query_dialect=query_dialect, prefixes=known)

    show_items(result_items(_on_resource(toolkit, dialect, ask)), output)


@_command("wsrf-get-property", f'{_RESOURCE} "{{{ns.GT4_SG}}}Entry"')
@toolkit_options
@dialect_option
@output_option("xml")
@click.argument("name", metavar='"{NS}LOCAL"')
def get_property(*, toolkit: Toolkit, dialect: DialectChoice, output: Output, name: str) -> None:
    """Show the values of one resource property of a resource.

    The namespace of the property tells the dialect where it is one of WSRF's own.
    """
    hint = check_clark(name)[1:].partition("}")[0]
    values = _on_resource(toolkit, dialect, lambda one: one.get_property(name), hint=hint)
    show_items(list(values), output)


@_command(
    "wsrf-get-properties",
    f'{_RESOURCE} "{{{ns.OASIS_RL}}}CurrentTime" "{{{ns.OASIS_SG}}}Entry"',
)
@toolkit_options
@dialect_option
@output_option("xml")
@click.argument("names", nargs=-1, required=True, metavar='"{NS}LOCAL"...')
def get_properties(
    *, toolkit: Toolkit, dialect: DialectChoice, output: Output, names: tuple[str, ...]
) -> None:
    """Show the values of several resource properties of a resource."""
    hints = [check_clark(name)[1:].partition("}")[0] for name in names]
    hint = next((one for one in hints if "/wsrf/" in one), hints[0])
    values = _on_resource(toolkit, dialect, lambda one: one.get_properties(names), hint=hint)
    show_items(list(values), output)


@_command("wsrf-set-termination-time", "-e entry.xml 3600")
@toolkit_options
@dialect_option
@click.argument("seconds", metavar="SECONDS|infinity")
def set_termination_time(*, toolkit: Toolkit, dialect: DialectChoice, seconds: str) -> None:
    """Let a resource live for so many more SECONDS, or for ever.

    SECONDS is a number, such as 3600 or 0.5; 0 ends the resource at once. "infinity" (or
    "infinite") asks for a life without end. The time counts from the resource's own CurrentTime
    where it has one, else from our clock.
    """
    length = _seconds(seconds)

    def ask(resource: Resource) -> tuple[int | None, Lifetime]:
        requested = None if length is None else _now_at(resource) + length
        return requested, resource.set_termination_time(requested)

    requested, granted = _on_resource(toolkit, dialect, ask)
    click.echo(f"requested: {_moment(requested)}")
    click.echo(f"scheduled: {_moment(granted.termination) if granted.told else 'not told'}")


@_command("wsrf-destroy", "-e entry.xml")
@toolkit_options
@dialect_option
def destroy(*, toolkit: Toolkit, dialect: DialectChoice) -> None:
    """Destroy a resource."""
    _on_resource(toolkit, dialect, lambda resource: resource.destroy())
    click.echo("Destroy operation was successful")


def _seconds(text: str) -> int | None:
    if text.strip().lower() in ("infinity", "infinite"):
        return None
    try:
        length = int(float(text) * SECOND)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{text!r} is no lifetime: give a number of seconds, or infinity"
        ) from None
    if abs(length) > 100 * 366 * 86_400 * SECOND:
        raise ConfigError(f"{text} s is more than a century: say infinity")
    return length


def _moment(instant: int | None) -> str:
    return "infinity" if instant is None else format_datetime(instant)


def _now_at(resource: Resource) -> int:
    """The resource's own time; ours where it tells none."""
    try:
        current = resource.current_time()
    except RemoteFault as fault:
        if is_gone(fault):
            raise
        current = None
    return Clock().wall() if current is None else current
