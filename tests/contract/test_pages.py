"""What the pages on plug-ins show works: configurations are taken, code is the code tested."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from aggregator.contract import ConfigBlock, Group
from aggregator.registry.plugins import find_plugins
from aggregator.registry.selection import select_source
from aggregator.testing import member
from aggregator.wire.parse import parse

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests" / "samples" / "plugin_package" / "site_plugins"
EXAMPLES = [
    pytest.param(example, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs" / "sources").glob("*.md"))
    for number, example in enumerate(re.findall(r"```xml\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_shown_configuration_is_taken(example: str) -> None:
    config = parse(example.encode())
    selected = select_source(config, find_plugins())
    assert selected is not None
    group = Group("G", min_interval=1000, resolve_probe=lambda name: name)
    source, block = selected
    source.source.check(ConfigBlock(block, config, member().epr, "gt4"), group=group)


def code(text: str) -> str:
    """Python without its layout and without docstrings of methods."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
    ]
    return ast.unparse(tree)


@pytest.mark.parametrize(("page", "module"), [("source", "document"), ("sink", "counter")])
def test_the_shown_plug_in_is_the_one_that_is_tested(page: str, module: str) -> None:
    text = (ROOT / "docs" / f"writing-a-{page}.md").read_text()
    shown = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    assert code(shown) == code((PACKAGE / f"{module}.py").read_text())
