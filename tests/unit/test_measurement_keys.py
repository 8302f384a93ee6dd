"""What a measurement archive answers about keys."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from aggregator.measurement import file_store
from aggregator.measurement.answering import Endpoint
from tests.measured import (
    IPERF_EVENT,
    KEY_ERROR,
    MAKEY,
    UNIX,
    Measured,
    archive_of,
    ask,
    data,
    endpoint,
    find,
    key,
    keys,
    metadata,
    minutes,
    pair,
    parameter,
    results,
    samples,
    select,
    udp,
)


@pytest.fixture
def measured() -> Measured:
    return Measured({201: minutes(3), 203: minutes(1)}, {401: samples(3)})


@pytest.fixture
def served(measured: Measured, tmp_path: Path) -> Endpoint:
    return endpoint(archive_of(measured, tmp_path))


class TestKeys:
    def test_each_match_is_told_with_a_key(self, served: Endpoint) -> None:
        inner = metadata(subject=pair(prefix="iperf"), types=[IPERF_EVENT]) + data()
        found = ask(served, inner, type="MetadataKeyRequest")
        assert found.get("type") == "MetadataKeyResponse"
        assert found.get("messageIdRef") == "asked"
        told = find(found, "nmwg:metadata")
        assert [one.get("metadataIdRef") for one in told] == ["metadata-0", "metadata-1"]
        assert [one.text for one in find(found, MAKEY)] == keys(served, inner)
        assert len({*keys(served, inner)}) == 2
        assert all(re.fullmatch("[0-9a-f]{32}", one) for one in keys(served, inner))
        # Each data element belongs to the metadata before it.
        assert [one.get("id") for one in told] == [
            one.get("metadataIdRef") for one in find(found, "nmwg:data")
        ]

    def test_a_key_holds_the_times_as_they_were_asked_for(self, served: Endpoint) -> None:
        times = (
            parameter("startTime", "2010-08-25T14:20:00Z", type="iso"),
            parameter("endTime", f"{UNIX + 60}"),
            parameter("resolution", "60"),
            parameter("consolidationFunction", "AVERAGE"),
        )
        inner = udp() + select("f", "m1", *times) + data("f")
        found = ask(served, inner, type="MetadataKeyRequest")
        [block] = find(found, "nmwg:data/nmwg:key/nmwg:parameters")
        assert block.get("id") == "params.0"
        told = [(one.get("name"), one.get("type"), one.text) for one in block][1:]
        assert told == [
            ("startTime", "iso", "2010-08-25T14:20:00Z"),
            ("endTime", None, f"{UNIX + 60}"),
            ("resolution", None, "60"),
            ("consolidationFunction", None, "AVERAGE"),
        ]

    def test_a_key_comes_back_cooked(self, served: Endpoint) -> None:
        [known] = keys(served, udp() + data())
        inner = metadata(inner=key(known, id="k1"))
        first = select("f1", "m1", parameter("startTime", "1"), parameter("endTime", "9"))
        second = select("f2", "f1", parameter("startTime", "2"))
        found = ask(served, inner + first + second + data("f2"), type="MetadataKeyRequest")
        [told] = find(found, "nmwg:metadata")
        assert told.get("metadataIdRef") == "f2"
        as_sent = [one.get("name") for one in find(told, "nmwg:key/nmwg:parameters/*")]
        assert as_sent == ["maKey"]
        cooked = find(found, "nmwg:data/nmwg:key/nmwg:parameters/*")
        assert [(one.get("name"), one.text) for one in cooked] == [
            ("maKey", known),
            ("startTime", "2"),
            ("endTime", "9"),
        ]

    def test_a_key_may_be_replayed(self, served: Endpoint) -> None:
        [known] = keys(served, udp() + data())
        inner = metadata(inner=key(known)) + data()
        for _ in range(3):
            assert keys(served, inner) == [known]
            assert len(find(ask(served, inner), "nmwg:data/iperf:datum")) == 3

    def test_a_rebuild_keeps_the_keys(self, measured: Measured, tmp_path: Path) -> None:
        before = keys(endpoint(archive_of(measured, tmp_path)), udp() + data())
        one, *others = measured.known
        measured.known = [*reversed(others), one._replace(numbers=(201, 999))]
        archive = archive_of(measured, tmp_path)
        assert keys(endpoint(archive), udp() + data()) == before
        measured.known = [one._replace(destination="192.0.2.9")]
        archive.create_storage()
        assert keys(endpoint(archive), udp() + data()) != before

    def test_a_request_by_key_evaluates_no_expression(
        self, served: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [known] = keys(served, udp() + data())
        evaluated: list[str] = []

        def counted(expression: str, **given: object) -> Callable[..., object]:
            evaluated.append(expression)
            return etree.XPath(expression, **given)  # type: ignore[arg-type]

        class Counting:
            XPath = staticmethod(counted)

        monkeypatch.setattr(file_store, "etree", Counting)
        inner = metadata(inner=key(known)) + data()
        assert keys(served, inner) == [known]
        assert find(ask(served, inner), "nmwg:data/iperf:datum")
        assert evaluated == []
        keys(served, udp() + data())
        assert len(evaluated) == 1

    def test_a_key_without_ma_key(self, served: Endpoint) -> None:
        inner = metadata(inner="<nmwg:key><nmwg:parameters id='p'/></nmwg:key>") + data()
        for type in ("MetadataKeyRequest", "SetupDataRequest"):
            assert results(ask(served, inner, type=type)) == [
                (
                    KEY_ERROR,
                    "Key error in metadata storage: cannot find 'maKey' in request message.",
                )
            ]

    @pytest.mark.parametrize("unknown", ["f" * 32, "x", "' or '1'='1", "%"])
    def test_a_key_that_is_unknown(self, served: Endpoint, unknown: str) -> None:
        inner = metadata(inner=key(unknown)) + data()
        for type in ("MetadataKeyRequest", "SetupDataRequest"):
            assert results(ask(served, inner, type=type)) == [
                (KEY_ERROR, "Key error in metadata storage: 'maKey' cannot be found.")
            ]


def test_cooking_grows_with_the_message(served: Endpoint) -> None:
    [known] = keys(served, udp() + data())
    many = 10_000
    inner = parameter("maKey", known) + "".join(parameter(f"a{n}", "1") for n in range(many))
    block = f'<nmwg:key><nmwg:parameters id="k">{inner}</nmwg:parameters></nmwg:key>'
    filter = select("f1", "m1", *(parameter(f"b{n}", "2") for n in range(many)))
    began = time.process_time()
    found = ask(served, metadata(inner=block) + filter + data("f1"), type="MetadataKeyRequest")
    # A look at all of the key's for each of the filter's takes 10 times as long.
    assert time.process_time() - began < 2
    path = "nmwg:data/nmwg:key/nmwg:parameters/nmwg:parameter"
    assert len(find(found, path)) == 2 * many + 1
