"""What a measurement archive answers: keys, data, how they are written, and every error."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from aggregator.errors import (
    AddressesUnknown,
    MeasurementsTooSlow,
    MeasurementsUnavailable,
    NothingMeasured,
)
from aggregator.measurement import file_store
from aggregator.measurement.answering import Endpoint
from aggregator.measurement.names import BUCKETS, SUMMARY
from aggregator.store.measured_values import Delay, Throughput
from aggregator.wire.parse import Element, Limits
from tests.measured import (
    NOON,
    SECOND,
    UNIX,
    Measured,
    archive_of,
    data,
    endpoint,
    find,
    key,
    message,
    metadata,
    minutes,
    pair,
    parameter,
    reply,
    results,
    samples,
    select,
)

IPERF_EVENT = "http://ggf.org/ns/nmwg/tools/iperf/2.0"
OWAMP_EVENT = "http://ggf.org/ns/nmwg/tools/owamp/2.0"
BUCKETS_EVENT = "http://ggf.org/ns/nmwg/characteristic/delay/summary/20110317"
KEY_ERROR = "error.ma.storage_result"
MAKEY = "nmwg:data/nmwg:key/nmwg:parameters/nmwg:parameter[@name='maKey']"


@pytest.fixture
def measured() -> Measured:
    return Measured({201: minutes(3), 203: minutes(1)}, {401: samples(3)})


@pytest.fixture
def served(measured: Measured, tmp_path: Path) -> Endpoint:
    return endpoint(archive_of(measured, tmp_path))


def ask(served: Endpoint, inner: str, *, type: str = "SetupDataRequest") -> Element:
    return reply(served.answer(message(inner, type=type)))


def udp(*, id: str = "m1") -> str:
    block = f'<nmwg:parameters id="p">{parameter("protocol", "UDP")}</nmwg:parameters>'
    return metadata(id, subject=pair(), types=[IPERF_EVENT], inner=block)


def keys(served: Endpoint, inner: str) -> list[str]:
    found = ask(served, inner, type="MetadataKeyRequest")
    return [one.text or "" for one in find(found, MAKEY)]


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


class TestData:
    def test_throughput(self, served: Endpoint) -> None:
        found = ask(served, udp() + data())
        [told] = find(found, "nmwg:metadata")
        assert told.get("metadataIdRef") == "m1"
        assert find(told, "nmwg:eventType")[0].text == IPERF_EVENT
        rows = find(found, "nmwg:data/iperf:datum")
        assert dict(rows[0].attrib) == {
            "timeType": "iso",
            "timeValue": "Wed Aug 25 14:20:00.0 UTC 2010",
            "throughput": "9.1e+08",
            "jitter": "0.002",
            "sent": "100",
        }
        assert len(rows) == 3

    def test_what_is_zero_or_unknown_is_left_out_of_throughput(
        self, measured: Measured, served: Endpoint
    ) -> None:
        measured.throughputs = {201: [Throughput(NOON, 0.0, 0.0, 0, None)]}
        [row] = find(ask(served, udp() + data()), "nmwg:data/iperf:datum")
        assert {*row.attrib} == {"timeType", "timeValue"}

    def test_delays_leave_out_what_is_unknown_only(
        self, measured: Measured, served: Endpoint
    ) -> None:
        row = Delay(NOON, NOON + SECOND, 0.0, None, 0, None, 600, 0, None, 0.0)
        measured.samples = {401: [row]}
        inner = metadata(subject=pair(), types=[OWAMP_EVENT]) + data()
        [told] = find(ask(served, inner), f"nmwg:data/{{{SUMMARY}}}datum")
        assert dict(told.attrib) == {
            "timeType": "iso",
            "startTime": "Wed Aug 25 14:20:00.0 UTC 2010",
            "endTime": "Wed Aug 25 14:20:01.0 UTC 2010",
            "min_delay": "0",
            "minTTL": "0",
            "sent": "600",
            "loss": "0",
            "maxError": "0",
        }

    def test_histograms(self, served: Endpoint) -> None:
        inner = metadata(subject=pair(), types=[BUCKETS_EVENT]) + data()
        rows = find(ask(served, inner), f"nmwg:data/{{{BUCKETS}}}datum")
        found = [
            [(one.get("value"), one.get("count")) for one in row.iter(f"{{{BUCKETS}}}value_bucket")]
            for row in rows
        ]
        assert found[0] == [("150", "599"), ("160", "1")]
        assert len(found) == 3

    def test_several_event_types_are_alternatives(self, served: Endpoint) -> None:
        inner = metadata(subject=pair(), types=[IPERF_EVENT, OWAMP_EVENT]) + data()
        assert len(find(ask(served, inner), "nmwg:metadata")) == 3

    @pytest.mark.parametrize(
        ("wanted", "shown", "type"),
        [("unix", f"{UNIX}.0", "unix"), ("iso", "Wed Aug 25 14:20:00.0 UTC 2010", "iso")],
    )
    def test_time_type_is_a_parameter_of_the_message(
        self, served: Endpoint, wanted: str, shown: str, type: str
    ) -> None:
        block = f"<nmwg:parameters>{parameter('timeType', wanted)}</nmwg:parameters>"
        row = find(ask(served, block + udp() + data()), "nmwg:data/iperf:datum")[0]
        assert (row.get("timeValue"), row.get("timeType")) == (shown, type)

    def test_a_filter_selects_and_is_referred_to(self, served: Endpoint) -> None:
        after = select("f", "m1", parameter("startTime", str(UNIX)))
        found = ask(served, udp() + after + data("f"))
        assert [one.get("metadataIdRef") for one in find(found, "nmwg:metadata")] == ["f"]
        # The bound itself is no part of the range.
        assert len(find(found, "nmwg:data/iperf:datum")) == 2

    def test_by_key_with_a_filter(self, served: Endpoint) -> None:
        [known] = keys(served, udp() + data())
        inner = metadata(inner=key(known, id="k1"))
        found = ask(served, inner + data())
        [told] = find(found, "nmwg:metadata")
        assert told.get("metadataIdRef") == "k1"
        after = select("f", "m1", parameter("time", str(UNIX), operator="eq"))
        found = ask(served, inner + after + data("f"))
        [told] = find(found, "nmwg:metadata")
        assert told.get("metadataIdRef") == "f"
        assert [one.get("name") for one in find(told, "nmwg:key/nmwg:parameters/*")] == [
            "maKey",
            "time",
        ]
        assert len(find(found, "nmwg:data/iperf:datum")) == 1

    def test_by_key_without_id_the_metadata_is_referred_to(self, served: Endpoint) -> None:
        [known] = keys(served, udp() + data())
        [told] = find(ask(served, metadata(inner=key(known)) + data()), "nmwg:metadata")
        assert told.get("metadataIdRef") == "m1"

    def test_times_within_a_key_select(self, served: Endpoint) -> None:
        [known] = keys(served, udp() + data())
        times = parameter("startTime", str(UNIX + 60))
        inner = key(known).replace("</nmwg:parameters>", f"{times}</nmwg:parameters>")
        found = ask(served, metadata(inner=inner) + data())
        assert len(find(found, "nmwg:data/iperf:datum")) == 1

    def test_no_rows_are_no_error(self, served: Endpoint) -> None:
        after = select("f", "m1", parameter("startTime", "2000000000"))
        found = ask(served, udp() + after + data("f"))
        assert results(found) == []
        [told] = find(found, "nmwg:data/nmwgr:datum")
        assert told.text == "Query returned 0 results"

    def test_each_data_element_is_answered_on_its_own(self, served: Endpoint) -> None:
        unknown = metadata("m2", subject=pair("192.0.2.77"))
        inner = udp() + unknown + data("m2", id="d2") + data(id="d1") + data("none", id="d3")
        found = ask(served, inner)
        assert [one[0] for one in results(found)] == [
            "error.ma.storage",
            "error.common.structure",
        ]
        assert len(find(found, "nmwg:data/iperf:datum")) == 3
        references = [one.get("metadataIdRef") for one in find(found, "nmwg:metadata")]
        assert references == ["m2", "m1", "none"]

    def test_many_data_elements(self, served: Endpoint) -> None:
        inner = udp() + "".join(data(id=f"d{number}") for number in range(200))
        found = ask(served, inner)
        assert len(find(found, "nmwg:data")) == 200
        ids = [one.get("id") for one in found.iter("{*}metadata", "{*}data")]
        assert len({*ids}) == len(ids)

    @pytest.mark.parametrize(
        ("trouble", "text"),
        [
            (MeasurementsUnavailable("secret"), "Database error, could not complete request."),
            (NothingMeasured("No data in database"), "No data in database"),
            (
                AddressesUnknown("", ""),
                'Id error, found "" for SRC and "" for DST addresses.',
            ),
        ],
    )
    def test_trouble_with_a_database_is_told_in_a_datum(
        self, measured: Measured, served: Endpoint, trouble: Exception, text: str
    ) -> None:
        def fail() -> None:
            raise trouble

        measured.trouble = fail
        found = ask(served, udp() + data())
        assert results(found) == []
        assert [one.text for one in find(found, "nmwg:data/nmwgr:datum")] == [text]

    def test_another_type_of_storage(self, measured: Measured, tmp_path: Path) -> None:
        archive = archive_of(measured, tmp_path)
        archive.origins = {}
        [told] = find(ask(endpoint(archive), udp() + data()), "nmwg:data/nmwgr:datum")
        assert told.text == 'Database "mysql" is not yet supported'

    def test_a_bug_is_told_as_one_and_stops_no_other_pair(
        self, measured: Measured, served: Endpoint
    ) -> None:
        def fail() -> None:
            measured.trouble = lambda: None
            raise RuntimeError("secret")

        measured.trouble = fail
        found = ask(served, udp() + data() + data(id="d2"))
        assert results(found) == [
            (
                "error.common.internal_error",
                "An internal error occurred while servicing this metadata/data block",
            )
        ]
        assert len(find(found, "nmwg:data/iperf:datum")) == 3


class TestEcho:
    def test_it_passes_and_the_metadata_follows(self, served: Endpoint) -> None:
        inner = metadata(types=["http://schemas.perfsonar.net/tools/admin/echo/2.0"]) + data()
        found = ask(served, inner, type="EchoRequest")
        assert found.get("type") == "EchoResponse"
        assert results(found) == [("success.echo", "The echo request has passed.")]
        assert [one.get("id") for one in find(found, "nmwg:metadata")][-1] == "m1"

    def test_another_event_type(self, served: Endpoint) -> None:
        found = ask(served, metadata(types=["http://x"]) + data(), type="EchoRequest")
        assert results(found) == [
            (
                "error.common.event_type_not_supported",
                'No supported event types for message of type "EchoRequest"',
            )
        ]


class TestErrorResponses:
    @pytest.mark.parametrize(
        ("body", "code", "text"),
        [
            (b"", "error.transport.parse_error", "Error parsing request: "),
            (b"<a", "error.transport.parse_error", "Error parsing request: "),
            (b"<a/>", "error.transport.parse_error", "Error parsing request: "),
            (
                b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
                "error.transport.parse_error",
                "Error parsing request: ",
            ),
            (
                b"<a>" + message("") + message("") + b"</a>",
                "error.transport.parse_error",
                "Error parsing request: ",
            ),
            (
                message("", type=""),
                "error.common.action_not_supported",
                "No message type specified",
            ),
            (
                message("", type="MetadataStorageRequest"),
                "error.common.action_not_supported",
                "Messages of type MetadataStorageRequest are unsupported",
            ),
            (
                message(""),
                "error.common.no_metadata_data_pair",
                "There were no metadata/data pairs found in the message",
            ),
            (
                message(metadata() + data("gone")),
                "error.common.no_metadata_data_pair",
                "There were no metadata/data pairs found in the message",
            ),
        ],
    )
    def test_what_is_no_message_of_ours(
        self, served: Endpoint, body: bytes, code: str, text: str
    ) -> None:
        found = reply(served.answer(body))
        assert found.get("type") == "ErrorResponse"
        [(told, words)] = results(found)
        assert told == code
        assert words.startswith(text)

    def test_it_refers_to_the_message(self, served: Endpoint) -> None:
        body = message("", type="Other", id="m&lt;&amp;&quot;'7")
        assert reply(served.answer(body)).get("messageIdRef") == "m<&\"'7"

    def test_a_message_in_an_envelope_and_at_any_depth(self, served: Endpoint) -> None:
        inner = message(udp() + data())
        body = b'<e:E xmlns:e="urn:e"><e:B><deep>' + inner + b"</deep></e:B></e:E>"
        assert len(find(reply(served.answer(body)), "nmwg:data/iperf:datum")) == 3

    def test_time_that_is_up(self, measured: Measured, tmp_path: Path) -> None:
        served = endpoint(archive_of(measured, tmp_path), lifetime=0.05)
        measured.trouble = lambda: time.sleep(0.1)
        found = reply(served.answer(message(udp() + data())))
        assert found.get("type") == "ErrorResponse"
        assert results(found) == [
            (
                "error.common.timeout",
                "Timeout occurred, current limit is 0.05 seconds. Try decreasing the breadth of"
                " your search if possible.",
            )
        ]

    def test_a_database_that_is_too_slow(self, measured: Measured, served: Endpoint) -> None:
        def fail() -> None:
            raise MeasurementsTooSlow

        measured.trouble = fail
        assert results(reply(served.answer(message(udp() + data()))))[0][0] == (
            "error.common.timeout"
        )

    def test_an_answer_that_is_too_large(self, measured: Measured, tmp_path: Path) -> None:
        served = endpoint(archive_of(measured, tmp_path), most=20_000)
        measured.throughputs = {201: minutes(1000)}
        small = select("f", "m1", parameter("endTime", str(UNIX + 90)))
        found = ask(served, udp() + data() + small + data("f", id="d2"))
        assert [one[0] for one in results(found)] == ["error.ma.storage"]
        assert len(find(found, "nmwg:data/iperf:datum")) == 2

    def test_limits_of_what_is_read(self, measured: Measured, tmp_path: Path) -> None:
        served = endpoint(archive_of(measured, tmp_path), limits=Limits(size=2000))
        [(code, text)] = results(reply(served.answer(message("<a/>" * 1000))))
        assert code == "error.transport.parse_error"
        assert "2000" in text

    def test_the_store_is_away(self, measured: Measured, tmp_path: Path) -> None:
        served = endpoint(archive_of(measured, tmp_path))
        (tmp_path / "store.xml").unlink()
        [(code, text)] = results(ask(served, udp() + data()))
        assert code == "error.ma.storage"
        assert "can't be opened" in text


@pytest.mark.parametrize(
    "value",
    ["' or '1'='1", '"] | //*[', "$v0", "]]>", "<script>", "{1}", "x' and sleep(9) and '"],
)
def test_what_is_asked_for_is_never_an_expression(served: Endpoint, value: str) -> None:
    told = escape(value, {'"': "&quot;"})
    [(code, text)] = results(ask(served, metadata(subject=pair(told)) + data()))
    assert code == "error.ma.storage"
    assert text.endswith("returned 0 results for search")
    block = f'<nmwg:parameters id="p">{parameter(told, told)}</nmwg:parameters>'
    found = ask(served, metadata(subject=pair(), inner=block) + data())
    assert [one[0] for one in results(found)] == ["error.ma.storage"]
