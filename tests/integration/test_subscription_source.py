"""Members that are subscribed to: how a subscription begins, lives, is lost and ends."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import notified, soap
from tests.notified import subscription_config
from tests.service import MANY_GROUPS, RunningService
from tests.waiting import until

from .each_database import service
from .member_kit import member

__all__ = ["service"]
FAMILIES: tuple[soap.Family, ...] = ("gt4", "oasis")
#: The shortest life that can be asked for, so that renewals come soon.
CONFIG = (
    "[notifications]\nsubscription_lifetime = '10s'\nestablish_timeout = '2s'\n"
    f"max_message = '64KiB'\nmax_inbox = 20\n{MANY_GROUPS}"
)


@pytest.fixture
def group(service: RunningService) -> Iterator[str]:
    yield service.next_group()
    service.end_entries()


def data(group: str) -> list[etree._Element]:
    """What the first entry publishes."""
    (entry, *_) = soap.entries(group)
    found = entry.find("{*}Content/{*}AggregatorData")
    return [] if found is None else list(found)


def texts(group: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in data(group)]


def counted(service: RunningService, outcome: str) -> float:
    name = f'aggregator_notifications_received_total{{outcome="{outcome}"}}'
    with urllib.request.urlopen(f"{service.url}/metrics") as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_member_is_subscribed_to_and_its_changes_come(
    group: str, tmp_path: Path, family: soap.Family
) -> None:
    value = tmp_path / "value"
    value.write_text('<t:Load xmlns:t="urn:t">1</t:Load>')
    config = f'[[property]]\nname = "{{urn:t}}Load"\nfile = "{value}"\nperiod = "100ms"\n'
    with member(tmp_path / "member", config) as running:
        soap.add(group, running.url, subscription_config(family=family), family=family)
        # What there was before is published too.
        until(lambda: texts(group) == ["1"], what="the first value")
        for number in ("2", "3"):
            value.write_text(f'<t:Load xmlns:t="urn:t">{number}</t:Load>')
            until(lambda number=number: texts(group) == [number], what="a changed value")
        assert data(group)[0].tag == "{urn:t}Load"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_notified_is_published(group: str, family: soap.Family) -> None:
    with notified.producer(family=family) as producer:
        soap.add(group, producer.url, subscription_config(family=family), family=family)
        assert producer.notify(producer.change("7")).status == 202
        until(lambda: texts(group) == ["7"], what="a value")
        # Any other message is published itself; so is one without Notify around it.
        assert producer.notify('<x:event xmlns:x="urn:x">wrapped</x:event>').status == 202
        until(lambda: texts(group) == ["wrapped"], what="a message")
        raw = '<x:event xmlns:x="urn:x">raw</x:event>'
        assert producer.notify(raw, wrapped=False).status == 202
        until(lambda: texts(group) == ["raw"], what="a raw message")
        assert data(group)[0].tag == "{urn:x}event"


def test_a_producer_of_the_other_version_is_understood(group: str) -> None:
    with notified.producer(family="gt4") as producer:
        soap.add(group, producer.url, subscription_config())
        assert producer.calls[:2] == ["Subscribe", "Subscribe"]
        producer.notify(producer.change("1"))
        until(lambda: texts(group) == ["1"], what="a value")


def test_many_notifications_come_in_their_order(group: str) -> None:
    with notified.producer() as producer:
        entry = soap.add(group, producer.url, subscription_config())
        for number in range(100):
            # Beyond what may wait, the producer is told to come again.
            until(
                lambda number=number: producer.notify(producer.change(str(number))).status == 202,
                what="room in the inbox",
            )
        until(lambda: texts(group) == ["99"], what="the last value")
        time.sleep(0.3)
        assert texts(group) == ["99"]
        assert soap.destroy(entry).status == 200


def test_an_index_above_this_one_has_every_entry(service: RunningService) -> None:
    """Each change is one to what was published before it, however quickly they come."""
    lower, upper = service.next_group(), service.next_group()
    soap.add(lower, "http://m/before")
    soap.add(upper, lower, subscription_config("sg:Entry"))
    addresses = [f"http://m/{number}" for number in range(40)]
    for address in addresses:
        soap.add(lower, address)
    known = {"http://m/before", *addresses}
    path = "{*}MemberServiceEPR/{*}Address"
    until(lambda: {one.findtext(path) for one in data(upper)} == known, what="all are there")
    assert len(data(upper)) == len(known)
    service.end_entries()


class TestRefusal:
    def test_of_the_producer_refuses_the_add_and_is_its_cause(self, group: str) -> None:
        with notified.producer(refuse="TopicNotSupportedFault") as producer:
            answer = soap.call(group, soap.add_body(producer.url, subscription_config()))
        assert answer.fault[0] == "AddRefusedFault"
        cause = answer.body.find(".//{*}FaultCause//{*}Description").text
        assert "TopicNotSupportedFault: it is not wanted" in cause
        assert soap.entries(group) == []

    def test_a_producer_that_hangs_refuses_the_add_in_time(
        self, service: RunningService, group: str
    ) -> None:
        with notified.producer(hangs=4.0) as producer:
            began = time.monotonic()
            answer = soap.call(group, soap.add_body(producer.url, subscription_config()))
            assert 1.5 < time.monotonic() - began < 8
            assert "did not answer within 2 s" in answer.fault[1]
            # Others were served meanwhile, and nothing is left behind.
            assert soap.entries(group) == []

    def test_a_producer_that_is_not_there_refuses_the_add(self, group: str) -> None:
        answer = soap.call(group, soap.add_body("http://127.0.0.1:1/x", subscription_config()))
        assert answer.fault == (
            "AddRefusedFault",
            "the SubscriptionAggregatorSource failed: no connection to the member",
        )

    def test_of_the_group_ends_the_subscription_again(
        self, service: RunningService, group: str
    ) -> None:
        with notified.producer() as producer:
            first = soap.add(group, producer.url, subscription_config())
            assert len(producer.subscriptions) == 1
            assert soap.destroy(first).status == 200
            until(lambda: not producer.subscriptions, what="the producer is told")


class TestNotify:
    def test_without_a_subscription_changes_nothing_and_is_counted(
        self, service: RunningService, group: str
    ) -> None:
        before = counted(service, "unknown")
        address = f"{service.url}/wsrf/services/NotificationConsumerService/"
        with notified.producer() as producer:
            for token in ("", "x", "a" * 43, "%00"):
                answer = producer.notify(producer.change("1"), to=address + token)
                assert answer.fault[0] == "ResourceUnknownFault"
        until(lambda: counted(service, "unknown") == before + 4, what="they are counted")

    def test_of_another_producer_is_refused_and_counted(
        self, service: RunningService, group: str
    ) -> None:
        before = counted(service, "producer")
        with notified.producer() as producer:
            soap.add(group, producer.url, subscription_config())
            answer = producer.notify(producer.change("1"), producer="http://10.0.0.1:80/other")
            assert answer.fault[0] == "ResourceUnknownFault"
            assert "http://10.0.0.1:80/other" in answer.fault[1]
            assert producer.notify(producer.change("2"), producer=producer.url).status == 202
            until(lambda: texts(group) == ["2"], what="its own producer is heard")
        until(lambda: counted(service, "producer") == before + 1, what="it is counted")

    def test_that_is_too_large_or_no_xml_is_refused_and_counted(
        self, service: RunningService, group: str
    ) -> None:
        large, unreadable = counted(service, "large"), counted(service, "unreadable")
        with notified.producer() as producer:
            soap.add(group, producer.url, subscription_config())
            (address,) = producer.subscriptions.values()
            assert producer.notify(producer.change("x" * 70_000)).fault[0] == "BaseFault"
            assert soap.post(address, b"no XML").fault[0] == "BaseFault"
            doctype = b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
            assert soap.post(address, doctype).fault[0] == "BaseFault"
            assert soap.call(address, f'<n:Notify xmlns:n="{notified.NT["oasis"]}"/>').status == 500
            producer.notify(producer.change("1"))
            until(lambda: texts(group) == ["1"], what="what is well is taken")
        until(lambda: counted(service, "large") == large + 1, what="it is counted")
        assert counted(service, "unreadable") == unreadable + 3


class TestLife:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_it_is_renewed_at_half_of_it(self, group: str, family: soap.Family) -> None:
        renewal = "SetTerminationTime" if family == "gt4" else "Renew"
        with notified.producer(family=family, lifetime=4.0) as producer:
            soap.add(group, producer.url, subscription_config(family=family), family=family)
            began = time.monotonic()
            until(lambda: renewal in producer.calls, what="a renewal")
            assert time.monotonic() - began < (7 if family == "gt4" else 3.5)
            assert producer.calls.count("Subscribe") == 1

    def test_it_is_made_again_where_the_producer_forgot_it(
        self, service: RunningService, group: str
    ) -> None:
        with notified.producer(lifetime=3.0) as producer:
            soap.add(group, producer.url, subscription_config())
            (old,) = producer.subscriptions.values()
            producer.forgets = True
            until(lambda: producer.calls.count("Subscribe") == 2, what="it is made again")
            until(lambda: list(producer.subscriptions.values())[-1] != old, what="a new address")
            # Stale messages are refused, those of the new subscription are taken.
            until(
                lambda: producer.notify(producer.change("old"), to=old).status == 500,
                what="the old address closes",
            )
            producer.notify(producer.change("new"))
            until(lambda: texts(group) == ["new"], what="the new one is heard")

    def test_it_is_made_again_where_the_producer_ends_it(self, group: str) -> None:
        with notified.producer() as producer:
            soap.add(group, producer.url, subscription_config())
            rl = soap.NS["oasis"]["rl"]
            ended = f'<rl:TerminationNotification xmlns:rl="{rl}"/>'
            assert producer.notify(ended).status == 202
            until(lambda: producer.calls.count("Subscribe") == 2, what="it is made again")

    def test_trouble_with_it_is_shown_and_leaves_the_data(self, group: str) -> None:
        with notified.producer(lifetime=2.0) as producer:
            soap.add(group, producer.url, subscription_config())
            producer.notify(producer.change("1"))
            until(lambda: texts(group) == ["1"], what="a value")
            producer.refuse, producer.forgets = "SubscribeCreationFailedFault", True
            path = "{*}Content/{*}AggregatorError"
            until(lambda: soap.entries(group)[0].find(path) is not None, what="an error is shown")
            assert texts(group) == ["1"]
            producer.refuse = ""
            until(lambda: soap.entries(group)[0].find(path) is None, what="it recovers")
