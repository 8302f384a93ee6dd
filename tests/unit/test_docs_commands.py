"""docs/commands.md tells of each command the options that it has, and no others."""

from __future__ import annotations

import re

import click
import pytest

from aggregator.cli import mds_archive, perfsonar_client, servicegroup_add, triggers, wsrf
from aggregator.cli.entries import entries
from aggregator.cli.query import query
from aggregator.config import OPTIONS, option_help
from tests.pages import Page
from tests.sources_read import ROOT

PAGE = Page(ROOT / "docs" / "commands.md")
COMMANDS: dict[str, click.Command] = {
    "wsrf-query": wsrf.query,
    "wsrf-get-property": wsrf.get_property,
    "wsrf-get-properties": wsrf.get_properties,
    "wsrf-set-termination-time": wsrf.set_termination_time,
    "wsrf-destroy": wsrf.destroy,
    "mds-servicegroup-add": servicegroup_add.main,
    "mds-trigger-create": triggers.create,
    "mds-trigger-view": triggers.view,
    "mds-trigger-edit": triggers.edit,
    "mds-archive-query": mds_archive.query,
    "perfsonar-client": perfsonar_client.main,
    "query": query,
    "entries": entries,
}
NAME = re.compile(r"(?<![\w-])(--?[A-Za-z][A-Za-z-]*)")


def rows(heading: str, columns: int) -> list[list[str]]:
    """The rows of the first table of options below a heading, their cells as they are written."""
    text = PAGE.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = re.search(r"^\| option \|.*\n(?:\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()[2:]
    return [re.split(r" (?<!\\)\| ", line.strip("| "), maxsplit=columns - 1) for line in lines]


def options(cell: str) -> set[str]:
    """The names of options that a cell gives, short and long."""
    return {name for code in re.findall(r"`([^`]+)`", cell) for name in NAME.findall(code)}


def told(command: str) -> set[str]:
    """The options that the page gives a command."""
    found = set()
    for option, of, _ in rows("Options", 3):
        names = re.findall(r"`([^`]+)`", of)
        patterns = [name.replace("*", ".*") for name in names] or [".*"]
        assert names or of == "all", of
        if any(re.fullmatch(pattern, command) for pattern in patterns):
            found |= options(option)
    if command in ("mds-servicegroup-add", "mds-archive-query", "perfsonar-client"):
        for option, _ in rows(command, 2):
            found |= options(option)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_gives_each_command_its_options(name: str) -> None:
    has = {
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert told(name) == has - {"--help", "-h"}


def test_every_command_named_in_the_table_is_one() -> None:
    for _, of, _ in rows("Options", 3):
        for name in re.findall(r"`([^`]+)`", of):
            assert name in ("wsrf-*", "mds-*", "mds-trigger-*") or name in COMMANDS, name


def test_the_settings_that_serve_has_options_for_are_settings() -> None:
    for setting, option in OPTIONS.items():
        assert option_help(setting)
        assert option.startswith("--")
