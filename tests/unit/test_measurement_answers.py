"""Errors of a measurement archive: of one pair, and of a whole message; and echo."""

from __future__ import annotations

import time
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from aggregator.errors import MeasurementsTooSlow, MeasurementsUnavailable
from aggregator.measurement.answering import Endpoint
from aggregator.measurement.chains import Chains
from aggregator.wire.parse import Limits
from tests.measured import (
    UNIX,
    Measured,
    archive_of,
    ask,
    data,
    endpoint,
    find,
    message,
    metadata,
    minutes,
    pair,
    parameter,
    reply,
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

    def test_what_came_is_not_repeated_whole_in_the_log(
        self, served: Endpoint, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        found = reply(served.answer(message("", type="a" * 100_000)))
        assert results(found)[0][1] == f"Messages of type {'a' * 100_000} are unsupported"
        assert max(len(one.getMessage()) for one in caplog.records) < 1000

    @pytest.mark.parametrize("error", [MeasurementsUnavailable("it is away"), KeyError("a bug")])
    def test_what_befalls_each_of_many_pairs_is_logged_once_a_message(
        self,
        error: Exception,
        measured: Measured,
        served: Endpoint,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail() -> None:
            raise error

        measured.trouble = fail
        for count in (1, 2):
            ask(served, udp() + data() * 50)
            assert len(caplog.records) == count

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


def test_a_stored_key_without_a_database(measured: Measured, tmp_path: Path) -> None:
    served = endpoint(archive_of(measured, tmp_path))
    file = tmp_path / "store.xml"
    text = file.read_text()
    file.write_text(text.replace('<nmwg:parameter name="db">', '<nmwg:parameter name="other">'))
    assert results(ask(served, udp() + data())) == [
        ("error.ma.storage", "Unable to open associated database")
    ]


def test_a_store_whose_events_are_of_no_kind_that_is_known(
    measured: Measured, tmp_path: Path
) -> None:
    served = endpoint(archive_of(measured, tmp_path))
    file = tmp_path / "store.xml"
    file.write_text(file.read_text().replace("http://ggf.org/ns/nmwg/tools/iperf/2.0<", "urn:x<"))
    inner = metadata(subject=pair(), types=["urn:x"]) + data()
    found = ask(served, inner)
    assert {one.text for one in find(found, "nmwg:data/nmwgr:datum")} == {
        "Improper eventType found."
    }


def test_a_bug_in_reading_a_chain_is_told_as_one(
    served: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Chains, "of", broken)
    assert results(ask(served, udp() + data())) == [
        (
            "error.common.internal_error",
            "An internal error occurred while parsing this metadata/data block",
        )
    ]
