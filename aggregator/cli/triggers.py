"""The commands ``mds-trigger-*`` of GT 4.2: triggers of TriggerService are made, shown, changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.showing import Output, output_option, readable, show_json, show_table
from aggregator.cli.toolkit import Toolkit, check_address
from aggregator.cli.toolkit_options import base_options, dialect_option
from aggregator.client.resource import Resource
from aggregator.client.spoken import DialectChoice, call_in_either, candidates
from aggregator.errors import ConfigError, RemoteError
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import Element, parse, text_of

T = TypeVar("T")
_HELP = {"help_option_names": ["-h", "--help"]}
_BASE = "-b http://127.0.0.1:8080/wsrf/services"
_SERVICE = "TriggerService"
_KEY = ns.clark(ns.TRIGGER_KEY, "TriggerResourceKey")
#: What the table of all triggers shows, and under which heading.
_COLUMNS = (
    ("TriggerID", "id"),
    ("TriggerName", "name"),
    ("TriggerStatus", "status"),
    ("MemberEPR", "member"),
    ("MatchingRule", "rule"),
    ("ActionScript", "action"),
    ("ConditionTrueSince", "true since"),
    ("ActionFiredAt", "fired at"),
)
Triggered = Mapping[str, Sequence[Element]]


def _command(name: str, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    return click.command(
        name,
        cls=OneLineCommand,
        context_settings=_HELP,
        epilog=f"\b\nExample:\n  {name} {_BASE} {example}",
    )


@_command("mds-trigger-create", "http://member.example.org/wsrf/services/HostService")
@base_options
@dialect_option
@click.argument("url", metavar="MONITOREDURL")
def create(*, toolkit: Toolkit, dialect: DialectChoice, url: str) -> None:
    """Make a trigger that watches MONITOREDURL, and print its id.

    MONITOREDURL is the address of a member of TriggerRegistrationService. The trigger is disabled
    until mds-trigger-edit says otherwise.
    """
    check_address(url)
    made = _on_service(toolkit, dialect, lambda one: one.create_trigger(url))
    key = next((reference for reference in _keys(made)), "")
    if not key:
        raise RemoteError(f"{made.address} has no TriggerResourceKey")
    click.echo(key)


@_command("mds-trigger-view", "")
@base_options
@dialect_option
@output_option("table")
@click.argument("number", metavar="[TRIGGERID]", default="")
def view(*, toolkit: Toolkit, dialect: DialectChoice, output: Output, number: str) -> None:
    """Show all triggers, or all properties of the one that has this id."""
    if number:
        found = [_of(toolkit, dialect, number)]
    else:
        name = ns.clark(ns.TRIGGER_MORE, "Trigger")
        values = _on_service(toolkit, dialect, lambda one: one.get_property(name))
        found = [_by_name(value.iterchildren(tag="*")) for value in values]
    if output == "xml":
        for one in found:
            for elements in one.values():
                for element in elements:
                    click.echo(readable(element))
    elif output == "json":
        show_json([{name: _texts(values) for name, values in one.items()} for one in found])
    elif number:
        rows = [(name, text) for name, values in found[0].items() for text in _texts(values)]
        show_table(("property", "value"), rows)
    else:
        show_table(
            [heading for _, heading in _COLUMNS],
            [[" ".join(_texts(one.get(name, ()))) for name, _ in _COLUMNS] for one in found],
        )


@_command("mds-trigger-edit", "TRIGGERID MatchingRule='//load > 5' TriggerStatus=enabled")
@base_options
@dialect_option
@click.argument("number", metavar="TRIGGERID")
@click.argument("changes", nargs=-1, required=True, metavar="PARAMETER=VALUE...")
def edit(
    *, toolkit: Toolkit, dialect: DialectChoice, number: str, changes: tuple[str, ...]
) -> None:
    """Change properties of a trigger, all of them or none.

    A property that is given more than once gets all these values; without a value, as in
    "StartTime=", it is deleted.
    """
    values: dict[str, list[str]] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"{change!r} is no PARAMETER=VALUE, such as TriggerStatus=enabled")
        values.setdefault(name, []).append(value)
    for name, given in values.items():
        if "" in given and len(given) > 1:
            raise ConfigError(f"{name} is given a value, and deleted: give one of the two")
    named = {
        ns.clark(ns.TRIGGER, name): [text for text in given if text]
        for name, given in values.items()
    }
    _on_service(toolkit, dialect, lambda one: one.set_properties(named), below=number)
    click.echo(f"changed {', '.join(values)}")


def _of(toolkit: Toolkit, dialect: DialectChoice, number: str) -> Triggered:
    names = [name for name, _ in _COLUMNS]
    names += [
        "NamespaceMappings",
        "EnableBoolean",
        "MinimumFiringInterval",
        "MinimumMatchTime",
        "StartTime",
        "EndTime",
        "InvalidityStartTime",
        "InvalidityEndTime",
        "ActionScriptInputFullOriginal",
        "ActionScriptInputXPathQueryResult",
        "RuleLastCheckedAt",
    ]
    asked = [ns.clark(ns.TRIGGER, name) for name in names]
    asked += [ns.clark(ns.TRIGGER_MORE, name) for name in ("recoveredAt", "action", "notEvaluated")]
    values = _on_service(toolkit, dialect, lambda one: one.get_properties(asked), below=number)
    return _by_name(values)


def _on_service(
    toolkit: Toolkit, dialect: DialectChoice, call: Callable[[Resource], T], *, below: str = ""
) -> T:
    base = check_address(toolkit.service).rstrip("/")
    if not below.replace("-", "").isalnum() and below:
        raise ConfigError(f"{below!r} is no id of a trigger; mds-trigger-view tells them")
    address = f"{base}/{_SERVICE}" + (f"/{below}" if below else "")
    toolkit.check_protection([address])
    endpoint = EndpointReference(address)
    return call_in_either(toolkit.client(), endpoint, candidates(dialect, epr=None), call)


def _by_name(elements: Any) -> Triggered:
    found: dict[str, list[Element]] = {}
    for element in elements:
        found.setdefault(str(element.tag).rpartition("}")[2], []).append(element)
    return found


def _texts(values: Sequence[Element]) -> list[str]:
    return [_text(value) for value in values]


def _text(value: Element) -> str:
    address = value.find("{*}Address")
    if address is not None:
        return text_of(address)
    outcome = value.get("outcome")
    words = " ".join("".join(map(str, value.itertext())).split())
    return words if outcome is None else f"{value.get('of')}: {outcome} {words}".strip()


def _keys(epr: EndpointReference) -> list[str]:
    return [text_of(one) for one in map(parse, epr.references) if one.tag == _KEY]
