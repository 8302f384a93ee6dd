"""The project's own source text, read for the tests that hold its shape."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Top-level folders of the import package, and the names under which it has them.
FOLDERS = {
    "aggregator": "aggregator",
    "sources": "aggregator.sources",
    "sinks": "aggregator.sinks",
    "schemas": "aggregator.schemas",
    "libexec": "aggregator.libexec",
}


@dataclass(frozen=True)
class Module:
    """A Python source file of the project."""

    path: Path

    @property
    def name(self) -> str:
        """Its place, from the root of the checkout."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def room(self) -> str:
        """The folder or the value module of ``aggregator`` that it belongs to, else its folder."""
        parts = self.path.relative_to(ROOT).parts
        return parts[0] if parts[0] != "aggregator" else parts[1].removesuffix(".py")

    @cached_property
    def text(self) -> str:
        """Its source."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, self.name)

    def imports(self) -> Iterator[str]:
        """Dotted names of everything that it imports absolutely, wherever the import stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def relative_imports(self) -> Iterator[str]:
        """What it imports relatively, as it is written."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                yield "." * node.level + (node.module or "")


def modules(*folders: str) -> list[Module]:
    """The Python modules below folders of the checkout, scripts without a suffix among them."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and _is_python(path):
                found.append(Module(path))
    return found


def _is_python(path: Path) -> bool:
    if path.suffix:
        return path.suffix == ".py"
    with path.open("rb") as file:
        return b"python" in file.readline()
