"""The project's XSD files, served from memory under ``/schemas/``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".xsd"):
            yield prefix + item.name, item.read_bytes()


# Read once at import: no path of a request ever reaches the file system.
_TABLE = MappingProxyType(dict(_walk(files("aggregator.schemas"))))


def schema(path: str) -> bytes | None:
    """The document at ``path`` under ``/schemas/`` (``oasis/sg-2.xsd``), None where none is."""
    return _TABLE.get(path)


def names() -> tuple[str, ...]:
    """The paths of all schemas under ``/schemas/``, sorted."""
    return tuple(sorted(_TABLE))
