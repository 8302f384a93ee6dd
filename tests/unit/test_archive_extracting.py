"""Numbers out of documents, by the process that takes them; it may be killed over one."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import psutil
import pytest

from aggregator.archive import extract_process, extracting, metrics
from aggregator.archive.document import document
from aggregator.archive.extracting import Extractor
from aggregator.archive.penalties import Penalties
from aggregator.config.series import Series
from aggregator.wire.parse import parse
from tests.waiting import until

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
        # A sum of doubles like this one can't be written down.
        ("number('1e308')", None),
        ("number('-1e150')", None),
        ("number('-1e149')", -1e149),
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
    """The numbers of documents of so many entries."""

    async def run() -> list[Any]:
        extractor = Extractor()
        try:
            return [
                await numbers(extractor, series, one, entry=f"e{place}")
                for place, one in enumerate(documents)
            ]
        finally:
            extractor.close()
            extractor.close()

    return asyncio.run(run())


async def numbers(
    extractor: Extractor,
    series: Sequence[Series],
    document: bytes,
    *,
    entry: str = "e",
    within: float = 60,
) -> Mapping[str, float] | None:
    until = monotonic() + within
    return await extractor.numbers("G", series, document, entry=entry, until=until)


def missed() -> float:
    return metrics.EXTRACTION_FAILURES.labels("G")._value.get()


def test_each_document_has_its_numbers_and_lacks_those_that_it_has_not() -> None:
    of = Series("n", "//x:a/@n", (("x", "urn:x"),)), Series("c", "//c"), Series("two", "1 + 1")
    assert taken([DOCUMENT, document(())], *of) == [{"n": 4.0, "two": 2.0}, {"two": 2.0}]


MANY = document((b"<x>" + b"<a/>" * 20_000 + b"</x>",))
CHEAP = document((b"<a/>",))
DEAR = Series("dear", "count(//a[count(//a) = count(//a)])")


def test_one_that_takes_too_long_costs_itself_alone() -> None:
    before = missed()
    assert taken([CHEAP, MANY, CHEAP], DEAR) == [{"dear": 1.0}, None, {"dear": 1.0}]
    assert missed() == before + 1


def test_a_process_that_does_not_start_is_not_tried_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = missed()
    monkeypatch.setattr(extracting, "_COMMAND", ("/nowhere/python",))

    async def run() -> list[Any]:
        extractor = Extractor()
        found = [await numbers(extractor, [DEAR], CHEAP)]
        monkeypatch.undo()
        found.append(await numbers(extractor, [DEAR], CHEAP))
        extractor._startable_from = 0
        found.append(await numbers(extractor, [DEAR], CHEAP))
        extractor.close()
        return found

    # It is no document's fault either.
    assert asyncio.run(run()) == [None, None, {"dear": 1.0}]
    assert missed() == before + 2


def test_an_entry_is_left_out_for_a_while_after_one() -> None:
    now = [0.0]

    async def run() -> list[Any]:
        extractor = Extractor()
        extractor.penalties.clock = lambda: now[0]
        try:
            assert await numbers(extractor, [DEAR], MANY, entry="slow") is None
            left_out = await numbers(extractor, [DEAR], CHEAP, entry="slow")
            other = await numbers(extractor, [DEAR], CHEAP, entry="other")
            now[0] = 11.0
            return [left_out, other, await numbers(extractor, [DEAR], CHEAP, entry="slow")]
        finally:
            extractor.close()

    assert asyncio.run(run()) == [None, {"dear": 1.0}, {"dear": 1.0}]


def test_penalties_grow_and_the_slow_come_last() -> None:
    now = [0.0]
    penalties = Penalties(lambda: now[0])
    assert penalties.order(["a", "b", "c"]) == [0, 1, 2]
    assert penalties.add("a") == 10
    assert (penalties.is_out("a"), penalties.is_out("b")) == (True, False)
    assert penalties.order(["a", "b", "c"]) == [1, 2, 0]
    now[0] = 15
    assert not penalties.is_out("a")
    assert penalties.add("a") == 20
    now[0] = 1000
    assert penalties.add("a") == 10
    for _ in range(12):
        now[0] += 1
        length = penalties.add("a")
    assert length == 3600


def test_the_turn_is_waited_for_no_longer_than_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extracting, "PATIENCE", 30.0)

    async def run() -> tuple[Any, float]:
        extractor = Extractor()
        try:
            slow = asyncio.create_task(numbers(extractor, [DEAR], MANY, entry="slow"))
            await asyncio.sleep(0)
            began = monotonic()
            found = await numbers(extractor, [DEAR], CHEAP, within=0.1)
            waited = monotonic() - began
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
            return found, waited
        finally:
            extractor.close()

    found, waited = asyncio.run(run())
    assert found is None
    assert waited < 10


_STARTS = f"""
import asyncio, time
from aggregator.archive import extracting
from aggregator.config.series import Series
extracting.PATIENCE = 600.0
async def main():
    extractor = extracting.Extractor()
    await extractor._start()
    print(extractor._process.pid, flush=True)
    document = b"<x>" + b"<a/>" * 40_000 + b"</x>"
    of = Series("dear", {DEAR.xpath!r})
    await extractor.numbers("G", [of], document, entry="e", until=time.monotonic() + 9)
asyncio.run(main())
"""


def test_the_process_ends_with_the_one_that_started_it_in_the_middle_of_a_document() -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTS], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        process = psutil.Process(int(starter.stdout.readline()))
        try:
            # It is at the document once it takes time.
            until(lambda: sum(process.cpu_times()[:2]) > 0.8, what="it does not evaluate")
            starter.kill()
            process.wait(20)
        finally:
            starter.kill()
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def test_it_does_not_live_on_where_that_one_has_ended_before() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        module = "aggregator.archive.extract_process"
        done = subprocess.run(
            [sys.executable, "-m", module, str(number), "1"],
            pass_fds=[number],
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
