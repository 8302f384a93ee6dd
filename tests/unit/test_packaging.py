"""What is shipped is what is there, and no part of it outgrows its reader."""

from __future__ import annotations

import ast
import os
import re
import statistics
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from aggregator import __version__
from tests.sources_read import FOLDERS, ROOT, Module, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
SHIPPED = modules(*FOLDERS)
TESTS = modules("tests")
#: What GT 4.2 names in every trigger that is new.
DEFAULT_ACTION = "trigger-action-default"
LONGEST_FILE, MEDIAN_FILE, LONGEST_FUNCTION = 300, 120, 50
#: Words that say nothing of what a thing does.
VAGUE = re.compile(
    r"(?:^|_)(?:manager|helpers?|utils?|misc|common)(?:_|$)|Manager|Helper|Util|Misc|Common"
)
#: Methods that carry out a library's name for them.
GIVEN = {
    ("aggregator/client/deadline.py", "proxy_manager_for"),
    # WS-BaseNotification's own name for the service.
    ("aggregator/member/subscription_manager.py", "SubscriptionManager"),
    ("aggregator/member/subscription_manager.py", "subscription_manager"),
}


def shipped_files() -> Iterator[tuple[str, Path]]:
    """Every file below the shipped folders, with the package that its folder would be."""
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                below = path.parent.relative_to(ROOT / folder).parts
                yield ".".join((package, *below)), path


def data_patterns() -> Iterator[tuple[str, str]]:
    for package, patterns in SETUPTOOLS["package-data"].items():
        yield from ((package, pattern) for pattern in patterns)


def is_data_of(package: str, path: Path) -> bool:
    """Whether some package ships the file as data, from its own folder or one below."""
    for owner, pattern in data_patterns():
        *below, name = pattern.split("/")
        if ".".join((owner, *below)) == package and fnmatch(path.name, name):
            return True
    return False


class TestPackages:
    def test_listed_are_those_there_are(self) -> None:
        folders = {package for package, path in shipped_files() if path.suffix == ".py"}
        folders |= {package for package, _ in data_patterns() if "schemas" in package}
        assert sorted(folders) == SETUPTOOLS["packages"]

    def test_folders_are_mapped(self) -> None:
        assert SETUPTOOLS["package-dir"] == {package: name for name, package in FOLDERS.items()}

    def test_every_file_is_shipped(self) -> None:
        packages = set(SETUPTOOLS["packages"])
        lost = [
            path.relative_to(ROOT).as_posix()
            for package, path in shipped_files()
            if not (path.suffix == ".py" and package in packages) and not is_data_of(package, path)
        ]
        assert lost == [], "name them in tool.setuptools.package-data"

    def test_every_package_has_an_init_or_data_alone(self) -> None:
        bare = {package for package, path in shipped_files() if path.suffix == ".py"}
        bare -= {package for package, path in shipped_files() if path.name == "__init__.py"}
        assert bare == set()

    @pytest.mark.parametrize(("package", "pattern"), list(data_patterns()))
    def test_every_pattern_finds_a_file(self, package: str, pattern: str) -> None:
        folder = next(
            ROOT / name / Path(*package.removeprefix(root).strip(".").split("."))
            for name, root in sorted(FOLDERS.items(), key=lambda item: -len(item[1]))
            if f"{package}.".startswith(f"{root}.")
        )
        assert any(folder.glob(pattern))

    @pytest.mark.parametrize("command", PROJECT["project"]["scripts"])
    def test_every_command_exists(self, command: str) -> None:
        module, _, function = PROJECT["project"]["scripts"][command].partition(":")
        assert callable(getattr(import_module(module), function))
        launcher = ROOT / "bin" / command
        assert os.access(launcher, os.X_OK), f"{launcher} is no launcher for a checkout"

    def test_version_is_one(self) -> None:
        assert PROJECT["project"]["version"] == __version__

    def test_every_dependency_is_pinned(self) -> None:
        pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
        pinned = {name.lower().replace("_", "-") for name in re.findall(r"(?m)^([\w.-]+)==", pins)}
        extras = PROJECT["project"]["optional-dependencies"].values()
        wanted = [
            *PROJECT["project"]["dependencies"],
            *(name for extra in extras for name in extra),
        ]
        names = {re.split(r"[\[<>=~; ]", name)[0].lower() for name in wanted}
        assert names - pinned == set()


class TestExecutables:
    @pytest.mark.parametrize("folder", ["libexec/aggrexec", "libexec/trigger", "bin", ".ci"])
    def test_are_executable_and_say_by_what(self, folder: str) -> None:
        found = [path for path in (ROOT / folder).iterdir() if path.is_file() and not path.suffix]
        assert found
        for path in found:
            assert os.access(path, os.X_OK), f"{path} has no x bit"
            assert path.read_bytes().startswith(b"#!"), f"{path} has no #! line"

    def test_probes_are_at_their_names(self) -> None:
        names = {path.name for path in (ROOT / "libexec/aggrexec").iterdir()}
        assert {"ping-test", "aggregator-exec-test", "nagios", "host", "http"} <= names
        assert {"twping-lite", "iperf3-throughput"} <= names

    def test_actions_are_at_their_names(self) -> None:
        names = {path.name for path in (ROOT / "libexec/trigger").iterdir() if not path.suffix}
        assert names - {"__pycache__"} == {"log", "mail", "webhook", "event", DEFAULT_ACTION}


def functions(module: Module) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{module.name}:{node.lineno} {node.name}", node


def defined(module: Module) -> Iterator[str]:
    yield module.path.stem
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


class TestSize:
    def test_no_file_is_too_long(self) -> None:
        lengths = {module.name: module.text.count("\n") for module in (*SHIPPED, *TESTS)}
        assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}

    def test_most_files_are_short(self) -> None:
        lengths = [module.text.count("\n") for module in SHIPPED if module.text.strip()]
        assert statistics.median(lengths) <= MEDIAN_FILE

    def test_no_function_is_too_long(self) -> None:
        lengths = {
            name: (node.end_lineno or 0) - node.lineno + 1
            for module in SHIPPED
            for name, node in functions(module)
        }
        assert {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION} == {}


class TestWords:
    def test_every_module_says_what_it_is_for(self) -> None:
        silent = [
            module.name
            for module in SHIPPED
            if module.text.strip() and not ast.get_docstring(module.tree)
        ]
        assert silent == []

    def test_the_first_line_is_a_sentence(self) -> None:
        told = {module.name: ast.get_docstring(module.tree) or "." for module in SHIPPED}
        wrong = [
            name for name, text in told.items() if text.partition("\n")[0].strip()[-1] not in ".?"
        ]
        assert wrong == []

    def test_public_names_of_what_plug_ins_use_are_told(self) -> None:
        silent = [
            f"{module.name}: {node.name}"
            for module in SHIPPED
            if module.room in ("contract", "errors", "model", "wire", "testing")
            for node in module.tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
        assert silent == []

    def test_names_say_what_a_thing_does(self) -> None:
        vague = [
            (module.name, name)
            for module in SHIPPED
            for name in defined(module)
            if VAGUE.search(name)
        ]
        assert set(vague) <= GIVEN
