"""docs/reports.md says what the code does: its examples, limits, words and addresses."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from aggregator.agent.spool import MOST
from aggregator.cli.main import main
from aggregator.config import Settings
from aggregator.config.measures import show_size
from aggregator.config.report_tokens import read_report_tokens
from aggregator.reports import Aggregator, Collector, addons, messages
from aggregator.reports.calls import Message, process_report, process_request, update
from aggregator.server.reports import answering, asking
from tests.pages import Page
from tests.sources_read import ROOT

PAGE = Page(ROOT / "docs" / "reports.md")


def test_the_tokens_that_are_shown_are_read(tmp_path: Path) -> None:
    [text] = [one for one in PAGE.fenced("text") if "[site]" in one]
    file = tmp_path / "tokens.toml"
    file.write_text(text.replace("16 to 200 characters: a long random word, no spaces", "x" * 20))
    file.chmod(0o600)
    site, gui, admin = read_report_tokens(str(file))
    assert (site.nodes, gui.updates, admin.status) == (("node*",), ("FileList",), True)


def test_the_commands_that_are_shown_are_understood() -> None:
    [text] = PAGE.fenced("sh")
    for line in text.splitlines():
        program, name, *arguments = shlex.split(line)
        assert program == "aggregator"
        with click.Context(main) as context:
            found = main.get_command(context, name)
        assert found is not None
        found.make_context(name, arguments).close()


def test_the_aggregator_that_is_shown_works() -> None:
    [text] = PAGE.fenced("python")
    module = ModuleType("shown")
    exec(compile(text, "shown", "exec"), vars(module))
    shown: Any = type("Loads", (vars(module)["Loads"],), {"kept": addons.InMemory()})
    loads = shown()
    assert update(loads, 0.0) is None
    process_report(loads, Message({"type": "Load", "node": "n1", "data": b"0.5"}))
    assert process_request(loads, Message({"type": "Load", "node": "n1"})) == ("json", b"0.5")
    assert process_request(loads, Message({"type": "Load", "node": "n2"})) is None
    assert update(loads, 0.0) == ("json", b'{"n1": 0.5}')
    assert update(loads, 0.0) is None
    assert process_request(shown(), Message({"type": "Load", "node": "n1"})) == ("json", b"0.5")


def test_the_protobuf_message_is_the_one_that_ships() -> None:
    [text] = [one for one in PAGE.fenced("text") if "syntax" in one]
    shown = re.findall(r"(?:optional|repeated) (\w+) (\w+) = (\d);", text)
    file = messages.Files.DESCRIPTOR.nested_types_by_name["File"]
    kinds = {9: "string", 1: "double", 12: "bytes"}
    found = [(kinds[field.type], field.name, str(field.number)) for field in file.fields]
    assert shown == [*found, ("File", "files", "1")]
    assert " ".join(text.split()) in " ".join((inspect.getdoc(messages_module()) or "").split())


def messages_module() -> ModuleType:
    return messages


def test_every_attribute_and_method_is_told() -> None:
    for base in (Aggregator, Collector):
        for name in vars(base):
            if not name.startswith("_"):
                assert f"`{name}" in PAGE.text or f"`{name}(" in PAGE.text, name
    for name in ("saveData", "restoreData", "dependencies"):
        assert f"`{name}" in PAGE.text


def test_limits_are_those_of_the_code() -> None:
    given = Settings().reports
    table = PAGE.text.partition("## Limits")[2]
    for name, shown in (
        ("max_report", show_size(given.max_report)),
        ("max_waiting", f"{given.max_waiting:,}"),
        ("max_waiting_size", show_size(given.max_waiting_size)),
        ("max_nodes", f"{given.max_nodes:,}"),
        ("max_requests", str(given.max_requests)),
        ("max_answer", show_size(given.max_answer)),
        ("max_watchers", str(given.max_watchers)),
        ("updates_kept", f"{given.updates_kept:,}"),
        ("updates_size", show_size(given.updates_size)),
    ):
        [row] = [line for line in table.splitlines() if f"`reports.{name}`" in line]
        assert shown.replace("MiB", " MiB") in row, name
    assert given.update_interval == 1.0
    assert f"| {10 * given.max_rate} | ten times `reports.max_rate` |" in table
    assert f"Past {MOST:,} reports in the spool" in PAGE.text


def test_every_setting_that_is_named_exists() -> None:
    known = {row.name for row in Settings.describe()}
    named = set(re.findall(r"`(reports\.[a-z_]+)`", PAGE.text))
    assert named <= known
    assert len(named) > 15


def test_every_reason_is_told() -> None:
    table = PAGE.text.partition("| status | reason |")[2].partition("\n\n")[0]
    for reason, status in {**answering._REFUSED, **asking._STATUS}.items():
        if reason:
            [row] = [line for line in table.splitlines() if f"`{reason}`" in line]
            assert str(status) in row, reason
