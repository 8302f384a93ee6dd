"""What a measurement archive tells of measurements, and how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.errors import (
    AddressesUnknown,
    MeasurementsUnavailable,
    NothingMeasured,
)
from aggregator.measurement.answering import Endpoint
from aggregator.store.measured_values import Delay, Throughput
from aggregator.wire.nmwg_names import BUCKETS, SUMMARY
from tests.measured import (
    BUCKETS_EVENT,
    IPERF_EVENT,
    NOON,
    OWAMP_EVENT,
    SECOND,
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

    @pytest.mark.parametrize(
        "trouble", [NothingMeasured("No data in database"), AddressesUnknown("", "")]
    )
    def test_of_delays_no_more_is_told_than_that_there_are_none(
        self, measured: Measured, served: Endpoint, trouble: Exception
    ) -> None:
        def fail() -> None:
            raise trouble

        measured.trouble = fail
        found = ask(served, metadata(subject=pair(), types=[OWAMP_EVENT]) + data())
        assert [one.text for one in find(found, "nmwg:data/nmwgr:datum")] == [
            "Query returned 0 results"
        ]

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
