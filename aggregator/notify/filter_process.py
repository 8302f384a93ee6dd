"""The process that evaluates subscribers' filters, one after the other; it may be killed over one.

It is started as ``python -m aggregator.notify.filter_process DESCRIPTOR`` and ends with its socket.
A question is a line of JSON (``expression``, ``namespaces``, ``length``) and so many bytes of XML;
the answer is a line of JSON: ``{"holds": true}``, or ``{"error": "...", "limit": ""}``. Who also
says ``most`` is given a ``result`` of at most so many characters: what the expression selected, as
XML that stands alone where it is elements.
"""

from __future__ import annotations

import io
import json
import math
import resource
import socket
import sys
from functools import lru_cache

from lxml import etree

from aggregator.errors import MalformedRequest
from aggregator.view.results import scalar_text, string_of
from aggregator.wire.parse import Limits, parse, serialise
from aggregator.wire.text import xml_text

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
        expression = str(question["expression"])
        if "most" in question:
            most = int(str(question["most"]))
            answer = _selected(expression, namespaces, content, most=most)
        else:
            answer = {"holds": _holds(expression, namespaces, content)}
    except MemoryError:
        answer = {"error": "it takes too much memory", "limit": "memory"}
    except (etree.XPathError, MalformedRequest) as error:
        answer = {"error": str(error) or type(error).__name__, "limit": ""}
    stream.write(json.dumps(answer).encode() + b"\n")
    stream.flush()


def _holds(expression: str, namespaces: tuple[tuple[str, str], ...], content: bytes) -> bool:
    root = parse(content, limits=_LIMITS)
    return bool(_compiled(expression, namespaces)(root.getroottree()))


def _selected(
    expression: str, namespaces: tuple[tuple[str, str], ...], content: bytes, *, most: int
) -> dict[str, object]:
    root = parse(content, limits=_LIMITS)
    found = _compiled_bare(expression, namespaces)(root.getroottree())
    # The document node is in no list of lxml's, which an expression may select all the same.
    holds = _is_true(found) or (found == [] and _holds(expression, namespaces, content))
    pieces: list[str] = []
    size = 0
    for one in found if isinstance(found, list) else [found]:
        pieces.append(_written(one))
        size += len(pieces[-1])
        if size > most:
            return {"holds": holds, "result": "", "cut": True}
    return {"holds": holds, "result": "".join(pieces)}


def _is_true(found: object) -> bool:
    """The boolean() of a result (XPath 1.0, section 4.3): NaN is false, other than to Python."""
    return bool(found) and not (isinstance(found, float) and math.isnan(found))


def _written(one: object) -> str:
    """A node or a scalar of a result as XML content."""
    if isinstance(one, etree._Element):
        return serialise(one).decode()
    is_scalar = isinstance(one, bool | float)
    return xml_text(scalar_text(one) if is_scalar else string_of(one))


def _compiled(expression: str, namespaces: tuple[tuple[str, str], ...]) -> etree.XPath:
    return _compiled_bare(f"boolean({expression})", namespaces)


@lru_cache(maxsize=1024)
def _compiled_bare(expression: str, namespaces: tuple[tuple[str, str], ...]) -> etree.XPath:
    return etree.XPath(expression, namespaces=dict(namespaces), regexp=False, smart_strings=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
