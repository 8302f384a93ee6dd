"""The process that takes numbers out of deliveries, one after the other; it may be killed over one.

It is started as ``python -m aggregator.archive.extract_process DESCRIPTOR PARENT``, and ends with
its socket or with the process PARENT that started it. A question is a line of JSON (``series``:
pairs of an expression and its namespaces; ``length``) and so many bytes of XML; the answer is a
line of JSON: ``{"values": [1.5, null]}`` with null for what is no number, or ``{"error": "..."}``.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import signal
import socket
import sys
from functools import lru_cache

from lxml import etree

from aggregator.errors import MalformedRequest
from aggregator.wire.parse import Element, Limits, parse

#: What is evaluated has passed the limits for what arrives.
_LIMITS = Limits(size=2**30, depth=2000, nodes=10_000_000, namespaces=10_000)
_MEMORY = 512 * 2**20
#: Numbers are less than this, so that no sum of them is more than a double can hold.
_LARGEST = 1e150
_PR_SET_PDEATHSIG = 1


def main(descriptor: int, parent: int) -> None:
    """Answer until the socket is closed."""
    _end_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    with socket.socket(fileno=descriptor) as link, link.makefile("rwb") as stream:
        while line := stream.readline():
            _answer(stream, json.loads(line))


def _end_with(parent: int) -> None:
    """End when the process does that started this one, in the middle of a document too."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _answer(stream: io.BufferedRWPair, question: dict[str, object]) -> None:
    content = stream.read(int(str(question["length"])))
    answer: dict[str, object]
    try:
        root = parse(content, limits=_LIMITS)
        asked: list[tuple[str, dict[str, str]]] = question["series"]  # type: ignore[assignment]
        answer = {"values": [number(root, xpath, namespaces) for xpath, namespaces in asked]}
    except MemoryError:
        answer = {"error": "it takes too much memory"}
    except MalformedRequest as error:
        answer = {"error": str(error)}
    stream.write(json.dumps(answer).encode() + b"\n")
    stream.flush()


def number(root: Element, xpath: str, namespaces: dict[str, str]) -> float | None:
    """What number() makes of an expression's result; None for none, and from 1e150 on."""
    try:
        value = _compiled(xpath, tuple(sorted(namespaces.items())))(root)
    except etree.XPathError:
        return None
    return value if isinstance(value, float) and abs(value) < _LARGEST else None


@lru_cache(maxsize=1024)
def _compiled(xpath: str, namespaces: tuple[tuple[str, str], ...]) -> etree.XPath:
    return etree.XPath(
        f"number({xpath})", namespaces=dict(namespaces), regexp=False, smart_strings=False
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
