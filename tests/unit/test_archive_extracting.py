"""Numbers out of documents, by the process that takes them; it may be killed over one."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from aggregator.archive import extract_process, extracting
from aggregator.archive.document import document
from aggregator.archive.extracting import Extractor
from aggregator.config.series import Series
from aggregator.wire.parse import parse

DOCUMENT = document((b'<x:a xmlns:x="urn:x" n="4"><b>2.5</b><b>1e3</b><c>none</c></x:a>',))


@pytest.mark.parametrize(
    ("xpath", "value"),
    [
        ("//b", 2.5),
        ("sum(//b)", 1002.5),
        ("count(//b)", 2.0),
        ("//x:a/@n", 4.0),
        ("//c", None),
        ("//nothing", None),
        ("1 div 0", None),
        ("count(//b) > 1", 1.0),
        ("string(//x:a/@n)", 4.0),
        ("/agg:AggregatorData/x:a/@n * 2", 8.0),
        ("b", None),
        ("x:a/b", 2.5),
    ],
)
def test_a_number_is_what_xpath_makes_of_it(xpath: str, value: float | None) -> None:
    """libxml2 reads an exponent as well, which XPath 1.0 has not."""
    namespaces = {"x": "urn:x", "agg": "http://mds.globus.org/aggregator/types"}
    assert extract_process.number(parse(DOCUMENT), xpath, namespaces) == value


def answered(question: dict[str, Any], content: bytes) -> Any:
    stream = io.BytesIO()

    class Both:
        def read(self, length: int) -> bytes:
            return content[:length]

        write = staticmethod(stream.write)

        def flush(self) -> None:
            return

    extract_process._answer(Both(), question)  # type: ignore[arg-type]
    return json.loads(stream.getvalue())


def test_what_is_no_document_is_told() -> None:
    question = {"series": [["1", {}]], "length": 5}
    assert answered(question, b"<a/>?")["error"]
    assert answered({"series": [["1", {}]], "length": 4}, b"<a/>") == {"values": [1.0]}


def taken(documents: Sequence[bytes], *series: Series) -> list[Any]:
    async def run() -> list[Any]:
        extractor = Extractor()
        try:
            return [await extractor.numbers("G", series, one) for one in documents]
        finally:
            extractor.close()
            extractor.close()

    return asyncio.run(run())


def test_each_document_has_its_numbers_and_lacks_those_that_it_has_not() -> None:
    of = Series("n", "//x:a/@n", (("x", "urn:x"),)), Series("c", "//c"), Series("two", "1 + 1")
    assert taken([DOCUMENT, document(())], *of) == [{"n": 4.0, "two": 2.0}, {"two": 2.0}]


def test_one_that_takes_too_long_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    many = document((b"<x>" + b"<a/>" * 20_000 + b"</x>",))
    dear = Series("dear", "count(//a[count(//a) = count(//a)])")
    cheap = document((b"<a/>",))
    assert taken([cheap, many, cheap], dear) == [{"dear": 1.0}, {}, {"dear": 1.0}]
    monkeypatch.setattr(extracting, "_COMMAND", ("/nowhere/python",))
    assert taken([cheap], dear) == [{}]
