"""The published schemas that messages are held against; without them that one check is skipped."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import xmlschema
from lxml import etree

#: Beside a checkout where the specifications' own files are at hand; they are no part of ours.
SHARED = Path(__file__).parent.parent.parent / "shared" / "reference"


@cache
def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("published_schemas", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published_schemas() -> ModuleType:
    """The validator of the published schemas: `validate` raises for what they don't allow."""
    path = SHARED / "schemas" / "load.py"
    if not path.exists():
        pytest.skip(f"the published schemas are not at {path}")
    return _load(path)


def complaint(element: etree._Element) -> str:
    """What the published schemas have against a message; empty where they allow it."""
    try:
        published_schemas().validate(element)
    except xmlschema.XMLSchemaValidationError as error:
        return str(error.reason)
    return ""
