"""The element names of a registration file: known ones, and what a wrong one may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from aggregator.wire.parse import Element


def local_name(element: Element, namespace: str, known: Sequence[str]) -> tuple[str, str]:
    """The element's name within `namespace` and what is wrong with it, empty if it is known."""
    space, _, local = str(element.tag).rpartition("}")
    space = space.removeprefix("{")
    if space != namespace:
        wanted = f"namespace {namespace}" if namespace else "no namespace, as the root is"
        return local, f"element {local} is in namespace {space!r}, expected {wanted}"
    if local not in known:
        matches = difflib.get_close_matches(local, known, n=1)
        hint = f"; did you mean {matches[0]}?" if matches else ""
        return local, f"unknown element {local}{hint}"
    return local, ""
