"""One XPath 1.0 expression on the member's document, in a process that may be killed over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from aggregator.member.names import DOCUMENT
from aggregator.view.document import Document
from aggregator.view.results import evaluate


def query(
    expression: str, elements: Sequence[bytes], *, namespaces: Mapping[str, str], max_result: int
) -> bytes:
    """What a QueryResourcePropertiesResponse holds; `elements` are the children of the root.

    The result is written as that of a service group is. Raises InvalidQuery and QueryFailed.
    """
    document = Document(DOCUMENT, before=elements)
    answer = evaluate(document, expression, namespaces, max_result=max_result)
    result = b"".join(answer.blocks)
    return escape(result.decode()).encode() if answer.is_text else result
