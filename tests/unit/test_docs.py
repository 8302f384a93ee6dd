"""The pages hold together: links lead somewhere, nothing that is offered lacks its page."""

from __future__ import annotations

import ast
import configparser
import importlib
import logging
import re
import shlex
import tomllib
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import pytest

from aggregator.cli.main import main
from aggregator.config import Settings, load_settings
from aggregator.contract import SinkType, SourceType
from aggregator.member.configuration import load_member
from aggregator.run.logs import FIELDS, JsonFormatter, TextFormatter
from tests.pages import Page, pages
from tests.sources_read import ROOT, modules

PAGES = pages()
OPERATIONS = Page(ROOT / "docs" / "operations.md")
INDEX = Page(ROOT / "docs" / "README.md")
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
#: Hosts of package registries: which one a site uses is its own affair.
REGISTRY = re.compile(
    r"\b(pypi|pythonhosted|npmjs|yarnpkg|crates|rubygems|packagist|anaconda|docker)\.(org|com|io)\b"
)
SETTING = re.compile(
    r"`((?:server|store|query|collect|probes|notifications|events|actions|log)\.[a-z_]+)`"
)


def by_name(page: Page) -> str:
    return page.name


def links() -> Iterator[Any]:
    for page in PAGES:
        for link in page.links():
            if not urlsplit(link).scheme:
                yield pytest.param(page, link, id=f"{page.name}:{link}")


@pytest.mark.parametrize(("page", "link"), list(links()))
def test_a_link_leads_somewhere(page: Page, link: str) -> None:
    parts = urlsplit(link)
    target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
    assert target.exists()
    assert target.is_relative_to(ROOT)
    if parts.fragment:
        assert parts.fragment in Page(target).anchors()


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_no_page_names_a_package_registry(page: Page) -> None:
    assert not REGISTRY.search(page.text)


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_settings_that_a_page_names_exist(page: Page) -> None:
    known = {row.name for row in Settings.describe()}
    # A command's name reads like a setting's, and files and exchanges have names too.
    other = (".db", ".sock", ".topic", ".xml")
    named = {name for name in SETTING.findall(page.text) if not name.endswith(other)}
    assert named <= known


def test_the_index_leads_to_every_page() -> None:
    listed = {(INDEX.path.parent / urlsplit(link).path).resolve() for link in INDEX.links()}
    docs = {page.path for page in PAGES if page.name.startswith("docs/")} - {INDEX.path}
    assert docs <= listed


def offered(folder: str) -> set[str]:
    """The plug-ins that ship in a folder, by the names of their modules."""
    names = {module.path.stem for module in modules(folder)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("folder", ["sources", "sinks"])
def test_every_plugin_has_its_page_and_every_page_its_plugin(folder: str) -> None:
    pages_there = {path.stem for path in (ROOT / "docs" / folder).glob("*.md")}
    assert pages_there - {"README"} == offered(folder)


def test_every_probe_has_its_page_and_every_page_its_probe() -> None:
    folder = ROOT / "libexec" / "aggrexec"
    probes = {path.name for path in folder.iterdir() if path.is_file() and not path.suffix}
    assert {path.stem for path in (ROOT / "docs" / "probes").glob("*.md")} - {"README"} == probes


def test_the_changelog_has_a_place_for_what_comes() -> None:
    text = Page(ROOT / "CHANGELOG.md").text
    unreleased = text.partition("\n## Unreleased\n")[2].partition("\n## ")[0]
    assert re.search(r"^- \S", unreleased, re.MULTILINE)


def test_decisions_are_told_in_three_parts() -> None:
    decisions = [page for page in PAGES if page.name.startswith("docs/design/")]
    assert decisions
    for page in decisions:
        assert re.fullmatch(r"\d{3}-[a-z0-9-]+\.md", page.path.name), page.name
        headings = re.findall(r"^## (.+)$", page.text, re.MULTILINE)
        assert headings == ["Objective", "Decision", "Consequences"], page.name
        # One page each.
        assert len(page.text.splitlines()) <= 80, page.name
    numbers = [page.path.name[:3] for page in decisions]
    assert len(numbers) == len(set(numbers))


def commands() -> Iterator[Any]:
    for name, target in SCRIPTS.items():
        module, _, attribute = target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        command = found if isinstance(found, click.Command) else _made_by(module)
        yield pytest.param(command, name, id=name)
        if isinstance(command, click.Group):
            with click.Context(command) as context:
                for sub in command.list_commands(context):
                    yield pytest.param(command.get_command(context, sub), sub, id=sub)


def _made_by(module: str) -> click.Command:
    """The command of a module whose script is a function around it."""
    named = vars(importlib.import_module(module)).values()
    (found,) = [value for value in named if isinstance(value, click.Command)]
    return found


@pytest.mark.parametrize(("command", "name"), list(commands()))
def test_help_has_an_example(command: click.Command, name: str) -> None:
    with click.Context(command, info_name=name) as context:
        text = command.get_help(context)
    example = text.partition("Example:")[2]
    assert name in example


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_command_has_a_launcher(name: str) -> None:
    launcher = ROOT / "bin" / name
    assert launcher.stat().st_mode & 0o111
    assert f"bin/{name}" in launcher.read_text()


METRIC_KINDS = {
    "Counter": "counter",
    "Gauge": "gauge",
    "GaugeMetricFamily": "gauge",
    "Histogram": "histogram",
}


def metrics() -> list[tuple[str, str, str, str]]:
    """Every metric of the code, as Prometheus shows it: name, kind, labels, meaning."""
    found = []
    for module in modules("aggregator", "sources", "sinks"):
        if "prometheus_client" not in module.text:
            continue
        for node in ast.walk(module.tree):
            kind = getattr(getattr(node, "func", None), "id", "")
            if isinstance(node, ast.Call) and kind in METRIC_KINDS and len(node.args) > 1:
                name, text, *rest = [ast.literal_eval(argument) for argument in node.args]
                rest += [ast.literal_eval(k.value) for k in node.keywords if k.arg == "labels"]
                labels = rest[0] if rest else ()
                suffix = "_total" if kind == "Counter" else ""
                told = ", ".join(f"`{label}`" for label in labels)
                found.append((f"`{name}{suffix}`", METRIC_KINDS[kind], told, text))
    return sorted(found)


def test_every_metric_is_told_with_the_words_of_the_code() -> None:
    rows = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in metrics()]
    assert len(rows) > 15
    table = "\n".join(["| metric | kind | labels | what |", "|---|---|---|---|", *rows])
    assert table in OPERATIONS.text, f"write this into docs/operations.md:\n{table}"


def test_every_field_of_a_log_line_is_told() -> None:
    for field in FIELDS:
        assert re.search(rf"^\| `{field}` \|", OPERATIONS.text, re.MULTILINE), field


def test_the_log_lines_shown_are_as_they_are_written() -> None:
    values = {
        "created": 1769860800.25,
        "group": "DefaultIndexService",
        "entry": "5f1c0e0f9a6b4a1c8a4e0d6b2c3d4e5f",
        "member": "http://node7.example.org:9080/wsrf/services/HostService",
    }
    record = logging.makeLogRecord(
        {"name": "aggregator.registry.add", "levelname": "INFO", "msg": "added", **values}
    )
    for formatter in (TextFormatter("web"), JsonFormatter("web")):
        line = formatter.format(record)
        assert line in OPERATIONS.text.splitlines(), line


def test_the_unit_of_systemd_starts_what_there_is() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(OPERATIONS.fenced("ini")[0])
    program, command, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/bin/aggregator")
    with click.Context(main) as context:
        found = main.get_command(context, command)
    assert found is not None
    found.make_context(command, arguments).close()
    assert float(unit["Service"]["TimeoutStopSec"]) > 10


def toml_examples() -> Iterator[Any]:
    for page in PAGES:
        for number, text in enumerate(page.fenced("toml")):
            yield pytest.param(text, id=f"{page.name}:{number}")


@pytest.mark.parametrize("text", list(toml_examples()))
def test_toml_that_is_shown_is_taken(text: str, tmp_path: Any) -> None:
    """By the service, by the member, or as the entry points of the package that is shown."""
    read = tomllib.loads(text)
    file = tmp_path / "shown.toml"
    file.write_text(text)
    if "tokens" in read.get("reports", {}):
        tokens = tmp_path / read["reports"]["tokens"]
        tokens.write_text('[anybody]\nsecret = "0123456789abcdef"\n')
        tokens.chmod(0o600)
    if "project" in read:
        shown = read["project"]["entry-points"]
        shipped = tomllib.loads(
            (ROOT / "tests" / "samples" / "plugin_package" / "pyproject.toml").read_text()
        )
        for kind, points in shown.items():
            assert points.items() <= shipped["project"]["entry-points"][kind].items()
    elif read.keys() & {"member", "property", "namespaces"}:
        (tmp_path / "motd.xsl").write_text(
            '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'
        )
        assert load_member([file]).producers
    else:
        for name in re.findall(r'^\w+_(?:password|token)_file = "([\w.-]+)"$', text, re.MULTILINE):
            (tmp_path / name).write_text("secret")
            (tmp_path / name).chmod(0o600)
        load_settings(file, environ={}, options={})


@pytest.mark.parametrize(
    ("name", "kind"), [("writing-a-source", SourceType), ("writing-a-sink", SinkType)]
)
def test_the_plugin_that_is_shown_is_one(name: str, kind: type) -> None:
    (text,) = Page(ROOT / "docs" / f"{name}.md").fenced("python")
    module = ModuleType(name)
    exec(compile(text, name, "exec"), vars(module))
    assert isinstance(vars(module)["PLUGIN"], kind)
