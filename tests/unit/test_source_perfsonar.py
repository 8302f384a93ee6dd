"""The source of measurement archives: what is asked, and what is made of answers."""

from __future__ import annotations

import asyncio

import pytest
from aggregator.sources.perfsonar import NAME, PerfsonarAggregatorSource
from lxml import etree

from aggregator.contract import ConfigBlock, Group, HttpReply
from aggregator.errors import CollectError, ConfigError
from aggregator.model import Plan
from aggregator.testing import ManualClock, ScriptedHttp, StubContext
from aggregator.wire.envelope import read_envelope
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import AGG
from aggregator.wire.nmwg import ACTION, DATA, METADATA, find_message
from aggregator.wire.nmwg_names import NMWG
from aggregator.wire.parse import Element, parse
from tests.nmwg_peer import ANSWERS, DATUM, EMPTY, SUBJECT, envelope, message, pair, result

SOURCE = PerfsonarAggregatorSource()
GROUP = Group("G", min_interval=1000, resolve_probe=lambda name: name)
URL = "http://archive.example.org:8085/perfSONAR_PS/services/pSB"
DECLARED = (
    '<Src type="ipv4">192.0.2.1</Src><Dst>2001:db8::2</Dst><EventType>urn:a&amp;b</EventType>'
    "<EventType>urn:c</EventType><Window>900</Window>"
)
ASKED = message(
    '<nmwg:metadata id="m1"/><nmwg:data id="d1" metadataIdRef="m1"/>', "MetadataKeyRequest"
)


def plan(inside: str, *, address: str = URL) -> Plan:
    text = (
        f'<a:AggregatorConfig xmlns:a="{AGG}" xmlns:q="urn:q"><a:MeasurementPollType>'
        f"<PollIntervalMillis>5000</PollIntervalMillis>{inside}</a:MeasurementPollType>"
        "</a:AggregatorConfig>"
    )
    config = parse(text.encode())
    block = ConfigBlock(config[0], config, EndpointReference(address), "gt4")
    return Plan.loads(SOURCE.check(block, group=GROUP).dumps())


def collected(answer: str, *, status: int = 200, asked: str = ASKED) -> list[Element]:
    http = ScriptedHttp(lambda url, body: HttpReply(status, "text/xml", answer.encode()))
    done = asyncio.run(SOURCE.collect(plan(asked), context=StubContext(http=http)))
    assert done.content is not None
    assert not done.remember
    return [etree.fromstring(child) for child in done.content]


def sent(made: Plan, clock: ManualClock) -> Element:
    http = ScriptedHttp(lambda url, body: HttpReply(200, "text/xml", ANSWERS["good"].encode()))
    asyncio.run(SOURCE.collect(made, context=StubContext(http=http, now=clock.now())))
    [(url, body, headers)] = http.asked
    assert url == URL
    assert headers["Content-Type"].startswith("text/xml")
    assert headers["SOAPAction"] == f'"{ACTION}"'
    return read_envelope(parse(body)).body


class TestRequest:
    def test_the_window_ends_at_the_poll(self) -> None:
        made, clock = plan(DECLARED), ManualClock()
        assert (made.source, made.interval) == (NAME, 5000)
        for _ in range(2):
            now = clock.instant // 1_000_000
            asked = sent(made, clock)
            path, window, data = asked
            assert asked.get("type") == "SetupDataRequest"
            assert {one.tag: dict(one.attrib) for one in path.iter("{*}src", "{*}dst")} == {
                "{http://ggf.org/ns/nmwg/topology/2.0/}src": {"value": "192.0.2.1", "type": "ipv4"},
                "{http://ggf.org/ns/nmwg/topology/2.0/}dst": {"value": "2001:db8::2"},
            }
            assert [one.text for one in path.iter("{*}eventType")] == ["urn:a&b", "urn:c"]
            times = {one.get("name"): one.text for one in window.iter("{*}parameter")}
            assert times == {"startTime": str(now - 900), "endTime": str(now)}
            assert window[0].get("metadataIdRef") == path.get("id")
            assert data.get("metadataIdRef") == window.get("id")
            clock.advance(3.7)

    def test_a_message_is_sent_as_it_is(self) -> None:
        inside = ASKED.replace('id="m1"/>', 'id="m1"><q:x a="&lt;">q:y</q:x></nmwg:metadata>', 1)
        asked = sent(plan(inside), ManualClock())
        assert (asked.tag, asked.get("type")) == (f"{{{NMWG}}}message", "MetadataKeyRequest")
        assert (asked[0][0].tag, asked[0][0].text, asked[0][0].nsmap["q"]) == (
            "{urn:q}x",
            "q:y",
            "urn:q",
        )

    @pytest.mark.parametrize(
        "inside",
        [
            DECLARED.replace("192.0.2.1", '1"/>&lt;x'),
            DECLARED.replace("urn:c", "urn:c d"),
            DECLARED.replace("<Window>900", f"<Window>{'9' * 50}"),
            DECLARED.replace("<Window>900", "<Window>-1"),
            DECLARED + "<EventType>urn:x</EventType>" * 20,
            ASKED.replace('id="m1"/>', f'id="m1">{"x" * 70_000}</nmwg:metadata>', 1),
        ],
    )
    def test_what_can_not_work_is_refused(self, inside: str) -> None:
        with pytest.raises(ConfigError):
            plan(inside)

    def test_an_address_that_is_none_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="MemberEPR"):
            plan(DECLARED, address="urn:uuid:1")


class TestAnswer:
    def test_metadata_and_data_are_published_in_their_order(self) -> None:
        found = collected(ANSWERS["good"])
        assert [one.tag for one in found] == [METADATA, DATA]
        assert found[1].get("metadataIdRef") == found[0].get("id")
        assert found[1][0].get("sent") == "600"
        assert collected(ANSWERS["good"], status=500)[0].tag == METADATA

    def test_no_results_are_no_error(self) -> None:
        [_, data] = collected(ANSWERS["empty"])
        assert data[0].text == "Query returned 0 results"

    def test_parameters_of_the_message_are_left_out(self) -> None:
        parameters = '<nmwg:parameters id="p"/><other xmlns="urn:o"/>text'
        found = collected(envelope(message(parameters + EMPTY)))
        assert [one.tag for one in found] == [METADATA, DATA]

    def test_errors_alone_are_the_error_of_the_entry(self) -> None:
        answer = envelope(
            message(result(1, "error.ma.storage", "no such") + result(2, "error.b", "x"))
        )
        with pytest.raises(CollectError) as caught:
            collected(answer)
        assert caught.value.code == "error.ma.storage"
        assert caught.value.message == (
            "the archive answered error.ma.storage: no such; error.b: x"
        )

    def test_an_error_without_data_is_one(self) -> None:
        told = "<nmwg:metadata><nmwg:eventType>error.x</nmwg:eventType></nmwg:metadata>"
        with pytest.raises(CollectError, match=r"error\.x"):
            collected(envelope(message(told)))

    def test_data_beside_errors_is_published_with_them(self) -> None:
        assert len(collected(ANSWERS["mixed"])) == 4

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            ("fault", "fault"),
            ("several", "wrong-content"),
            ("foreign", "wrong-content"),
            ("nothing", "wrong-content"),
            ("bare", "not-soap"),
            ("html", "not-soap"),
            ("text", "not-soap"),
            ("doctype", "not-soap"),
            ("deep", "not-soap"),
            ("unread", "error.transport.parse_error"),
        ],
    )
    def test_all_else_is_a_collect_error(self, answer: str, code: str) -> None:
        with pytest.raises(CollectError) as caught:
            collected(ANSWERS[answer])
        assert caught.value.code == code

    def test_namespaces_do_not_make_much_of_little(self) -> None:
        spaces = " ".join(f'xmlns:n{n}="urn:{"x" * 900}{n}"' for n in range(100))
        small = pair(1, SUBJECT, DATUM) * 2000
        answer = envelope(message(small).replace("<nmwg:message ", f"<nmwg:message {spaces} "))
        with pytest.raises(CollectError) as caught:
            collected(answer)
        assert caught.value.code == "too-large"

    def test_much_is_read_as_little_is(self) -> None:
        [_, data] = collected(envelope(message(pair(1, SUBJECT, DATUM * 2000))))
        assert len(data) == 2000
        with pytest.raises(CollectError, match="nested"):
            collected(ANSWERS["deep"].replace("<a>", f"<a><!--{'x' * 2**18}-->", 1))

    def test_the_request_that_is_checked_can_be_found_again(self) -> None:
        request = plan(ASKED).data["request"]
        assert isinstance(request, list)
        assert find_message(parse(request[0].encode())).get("type") == "MetadataKeyRequest"
