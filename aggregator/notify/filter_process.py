"""The process that evaluates subscribers' filters, one after the other; it may be killed over one.

It is started as ``python -m aggregator.notify.filter_process DESCRIPTOR`` and ends with its socket.
A question is a line of JSON (``expression``, ``namespaces``, ``length``) and so many bytes of XML;
the answer is a line of JSON: ``{"holds": true}``, or ``{"error": "...", "limit": ""}``.
"""

from __future__ import annotations

import io
import json
import resource
import socket
import sys
from functools import lru_cache

from lxml import etree

from aggregator.errors import MalformedRequest
from aggregator.wire.parse import Limits, parse

#: What is evaluated was made by ourselves, or has passed the limits for what arrives.
_LIMITS = Limits(size=2**30, depth=2000, nodes=10_000_000, namespaces=10_000)
_MEMORY = 512 * 2**20


def main(descriptor: int) -> None:
    """Answer until the socket is closed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    with socket.socket(fileno=descriptor) as link, link.makefile("rwb") as stream:
        while line := stream.readline():
            _answer(stream, json.loads(line))


def _answer(stream: io.BufferedRWPair, question: dict[str, object]) -> None:
    content = stream.read(int(str(question["length"])))
    answer: dict[str, object]
    try:
        namespaces = tuple(sorted(dict(question["namespaces"]).items()))  # type: ignore[call-overload]
        answer = {"holds": _holds(str(question["expression"]), namespaces, content)}
    except MemoryError:
        answer = {"error": "it takes too much memory", "limit": "memory"}
    except (etree.XPathError, MalformedRequest) as error:
        answer = {"error": str(error) or type(error).__name__, "limit": ""}
    stream.write(json.dumps(answer).encode() + b"\n")
    stream.flush()


def _holds(expression: str, namespaces: tuple[tuple[str, str], ...], content: bytes) -> bool:
    root = parse(content, limits=_LIMITS)
    return bool(_compiled(expression, namespaces)(root.getroottree()))


@lru_cache(maxsize=1024)
def _compiled(expression: str, namespaces: tuple[tuple[str, str], ...]) -> etree.XPath:
    return etree.XPath(
        f"boolean({expression})", namespaces=dict(namespaces), regexp=False, smart_strings=False
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
