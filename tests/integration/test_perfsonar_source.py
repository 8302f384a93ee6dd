"""Measurement archives as a source: polled into the index by a real service, in both dialects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import etree

from tests import soap
from tests.nmwg_peer import DATUM, ECHO, MA_KEY, NMWG, RunningPeer, message, nmwg_peer
from tests.service import RunningService
from tests.soap import AGG, Family
from tests.waiting import until

HEALTH = "urn:mds-aggregator:health"
FAMILIES: list[Family] = ["gt4", "oasis"]
DECLARED = (
    "<agg:Src>192.0.2.1</agg:Src><agg:Dst type='ipv4'>192.0.2.2</agg:Dst>"
    "<agg:EventType>http://ggf.org/ns/nmwg/tools/owamp/2.0</agg:EventType>"
    "<agg:Window>900</agg:Window>"
)


@pytest.fixture(scope="module")
def peer() -> Iterator[RunningPeer]:
    with nmwg_peer() as running:
        yield running


def config(inside: str = DECLARED, *, millis: int = 1000) -> str:
    return (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}"><agg:MeasurementPollType>'
        f"<agg:PollIntervalMillis>{millis}</agg:PollIntervalMillis>{inside}"
        "</agg:MeasurementPollType></agg:AggregatorConfig>"
    )


def request(kind: str, event_type: str = ECHO) -> str:
    told = f"<nmwg:eventType>{event_type}</nmwg:eventType>"
    return message(
        f'<nmwg:metadata id="m1">{told}</nmwg:metadata><nmwg:data id="d1" metadataIdRef="m1"/>',
        kind,
    )


def entry(group: str, member: str, family: Family) -> etree._Element:
    [found] = [
        one for one in soap.entries(group, family=family) if member in "".join(one.itertext())
    ]
    return found


def published(group: str, member: str, family: Family = "oasis") -> list[etree._Element]:
    return entry(group, member, family).findall(f".//{{{AGG}}}AggregatorData/*")


def complaint(group: str, member: str) -> tuple[str, str]:
    """Code and message of the error that an entry shows."""
    error = entry(group, member, "oasis").find(f".//{{{AGG}}}AggregatorError")
    if error is None:
        return "", ""
    code, said = (error.find(f".//{{{HEALTH}}}{name}") for name in ("code", "message"))
    return (
        "" if code is None else code.text or "",
        "" if said is None else said.text or "",
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_measured_is_in_the_index(peer: RunningPeer, group: str, family: Family) -> None:
    member = f"{peer.url}/ma/pSB?{family}"
    soap.add(group, member, config=config(millis=200), family=family)
    found = until(lambda: published(group, member, family))
    assert [one.tag for one in found] == [f"{{{NMWG}}}metadata", f"{{{NMWG}}}data"]
    assert found[1].get("metadataIdRef") == found[0].get("id")
    assert dict(found[1][0].attrib) == dict(etree.fromstring(DATUM).attrib)

    def windows() -> list[tuple[int, int]]:
        asked = [one["body"] for one in peer.ask("asked") if one["path"].endswith(family)]
        times = [etree.fromstring(one.encode()).findall(f".//{{{NMWG}}}parameter") for one in asked]
        return [(int(start.text or 0), int(end.text or 0)) for start, end in times]

    seen = until(lambda: len(windows()) > 6 and windows())
    assert all(end - start == 900 for start, end in seen)
    assert seen[-1][1] > seen[0][1]


@pytest.mark.parametrize(
    ("kind", "held"),
    [("EchoRequest", "The echo request has passed."), ("MetadataKeyRequest", MA_KEY)],
)
def test_a_message_of_the_block_is_asked(
    peer: RunningPeer, group: str, kind: str, held: str
) -> None:
    member = f"{peer.url}/ma/pSB?{kind}"
    soap.add(group, member, config=config(request(kind)))
    found = until(lambda: published(group, member))
    assert held in "".join(map(str, found[1].itertext()))


def test_no_rows_are_data(peer: RunningPeer, group: str) -> None:
    member = f"{peer.url}/ma/empty"
    soap.add(group, member, config=config())
    found = until(lambda: published(group, member))
    assert found[1][0].text == "Query returned 0 results"
    assert complaint(group, member) == ("", "")


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("error", "error.ma.storage", 'error.ma.storage: Database "store.xml" returned 0 results'),
        ("unread", "error.transport.parse_error", "Error parsing request: no"),
        ("fault", "fault", "out of order"),
        ("foreign", "wrong-content", "there is no nmwg:message"),
        ("deep", "not-soap", "nested more than"),
        ("html", "not-soap", "not SOAP"),
        ("redirect", "redirect", "not followed"),
    ],
)
def test_errors_are_shown_at_the_entry(
    peer: RunningPeer, group: str, path: str, code: str, said: str
) -> None:
    member = f"{peer.url}/ma/{path}"
    soap.add(group, member, config=config())
    shown = until(lambda: complaint(group, member)[0] and complaint(group, member))
    assert shown[0] == code
    assert said in shown[1]
    assert published(group, member) == []


def test_a_block_that_can_not_work_is_refused(served: RunningService, group: str) -> None:
    storing = config(request("MetadataStorageRequest"))
    answer = soap.call(group, soap.add_body("http://127.0.0.1:1/", storing))
    assert answer.fault[0] == "AddRefusedFault"
    assert "its type is 'MetadataStorageRequest'; expected one of" in answer.fault[1]
    assert soap.entries(group) == []
