"""Groups and entries notify their subscribers: of what, how, in order, and for how long."""

from __future__ import annotations

import time

import pytest
from lxml import etree

from tests import notified, soap
from tests.notified import Consumer, manage, subscribe
from tests.service import MANY_GROUPS, RunningService
from tests.waiting import until

from .each_database import service
from .notification_kit import consumer, document, group, renewed, told

FAMILIES: tuple[soap.Family, ...] = ("gt4", "oasis")
CHANGED = '<m:ChangedEntries xmlns:m="urn:mds-aggregator:notification"/>'
CONFIG = f"[notifications]\nsuspend_after = '1s'\nmax_subscriptions = 20\n{MANY_GROUPS}"
__all__ = ["consumer", "group", "service"]


class TestEntry:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_adds_renewals_and_removals_are_told_in_order(
        self, group: str, consumer: Consumer, family: soap.Family
    ) -> None:
        manager = subscribe(group, consumer.url, family=family)
        entries = [soap.add(group, f"http://m/{n}", family=family) for n in "abc"]
        renewed(entries[1], family)
        assert soap.destroy(entries[0]).status == 200
        messages = consumer.until_messages(5)
        assert [*map(told, messages)] == [
            *(f"http://m/{n}" for n in "abcb"),
            "-http://m/a",
        ]
        name = etree.QName(messages[0])
        assert name.namespace == soap.NS[family]["rp"]
        assert name.localname == "ResourcePropertyValueChangeNotification"
        holder = messages[0].getparent().getparent()
        assert holder.findtext("{*}Topic").endswith(":Entry")
        assert holder.findtext("{*}ProducerReference/{*}Address") == group
        if family == "oasis":
            assert holder.findtext("{*}SubscriptionReference/{*}Address") == manager
        assert len(set(consumer.ids())) == 5

    def test_an_end_by_time_is_told_too(self, group: str, consumer: Consumer) -> None:
        subscribe(group, consumer.url)
        soap.call(group, soap.add_body("http://m/short", termination="PT1S"))
        assert [*map(told, consumer.until_messages(2))] == ["http://m/short", "-http://m/short"]

    def test_new_content_is_told_to_who_asks_for_changes(
        self, group: str, consumer: Consumer
    ) -> None:
        with notified.consumer() as other, notified.producer() as producer:
            subscribe(group, consumer.url, more=CHANGED)
            subscribe(group, other.url)
            soap.add(group, producer.url, notified.subscription_config())
            consumer.until_messages(1)
            producer.notify(producer.change("41"))
            until(
                lambda: consumer.messages()[-1].findtext(".//{urn:t}Load") == "41",
                what="the new content",
            )
            # As MDS4 had it, others are told of adds, renewals and removals alone.
            time.sleep(0.5)
            assert len(other.messages()) == 1

    def test_without_notify_messages_come_as_they_are(self, group: str, consumer: Consumer) -> None:
        subscribe(group, consumer.url, raw=True)
        for name in "ab":
            soap.add(group, f"http://m/{name}")
        consumer.until_messages(2)
        assert len(consumer.bodies) == 2
        assert b"<n:Notify" not in consumer.bodies[0]

    def test_a_filter_by_the_message_leaves_the_others_out(
        self, group: str, consumer: Consumer
    ) -> None:
        condition = (
            f'<n:MessageContent Dialect="{soap.XPATH}">'
            "contains(.//*[local-name()='MemberServiceEPR'], '/b')</n:MessageContent>"
        )
        subscribe(group, consumer.url, filters=condition)
        for name in "abc":
            soap.add(group, f"http://m/{name}")
        assert told(consumer.until_messages(1)[0]) == "http://m/b"
        time.sleep(0.5)
        assert len(consumer.messages()) == 1

    def test_a_filter_by_the_producers_properties_is_asked_as_they_are_then(
        self, group: str, consumer: Consumer
    ) -> None:
        many = (
            f'<n:ProducerProperties Dialect="{soap.XPATH}">count(//sg:Entry) &gt; 2'
            "</n:ProducerProperties>"
        )
        subscribe(group, consumer.url, filters=many)
        for name in "abc":
            soap.add(group, f"http://m/{name}")
            time.sleep(0.3)
        assert told(consumer.until_messages(1)[0]) == "http://m/c"

    def test_a_hostile_filter_delays_nobody_else(self, group: str, consumer: Consumer) -> None:
        slow = "9"
        for _ in range(6):
            slow = f"count(//*[{slow} &gt; 0])"
        with notified.consumer() as hostile:
            condition = f'<n:MessageContent Dialect="{soap.XPATH}">{slow}</n:MessageContent>'
            subscribe(group, hostile.url, filters=condition)
            subscribe(group, consumer.url)
            for name in "abc":
                soap.add(group, f"http://m/{name}")
            consumer.until_messages(3, within=5)
            assert hostile.messages() == []

    def test_all_topics_are_told_where_none_is_named(self, group: str, consumer: Consumer) -> None:
        subscribe(group, consumer.url, topic="")
        soap.add(group, "http://m/a")
        messages = consumer.until_messages(2)
        count = messages[1].find(".//{*}RegistrationCount/{*}total")
        assert count.text == "1"


class TestTopics:
    @pytest.mark.parametrize(
        ("topic", "kind"),
        [("sg:*", "Full"), ("*", "Full"), ("sg:Entry|agg:Other", "Full"), ("sg:Entry", "Concrete")],
    )
    def test_expressions_select_them(
        self, group: str, consumer: Consumer, topic: str, kind: str
    ) -> None:
        subscribe(group, consumer.url, topic, kind=kind)
        soap.add(group, "http://m/a")
        assert told(consumer.until_messages(1)[0]) == "http://m/a"

    def test_of_an_entry_are_its_lifetime_its_content_and_its_end(
        self, group: str, consumer: Consumer
    ) -> None:
        with notified.producer() as producer:
            entry = soap.add(group, producer.url, notified.subscription_config())
            other = soap.add(group, "http://m/other")
            manager = subscribe(entry.address, consumer.url, topic="")
            renewed(other)
            renewed(entry)
            producer.notify(producer.change("5"))
            until(lambda: len(consumer.messages()) >= 2, what="both are told")
            renewal, content = consumer.messages()[:2]
            assert renewal.find(".//{*}NewValues/{*}TerminationTime") is not None
            assert content.findtext(".//{*}NewValues/{*}Content//{urn:t}Load") == "5"
            assert soap.destroy(entry).status == 200
            consumer.until_messages(3)
            assert etree.QName(consumer.messages()[2]).localname == "TerminationNotification"
            until(lambda: document(manager).status == 500, what="the subscription ends")

    def test_what_was_told_last_can_be_asked_for(self, group: str, consumer: Consumer) -> None:
        def ask(topic: str) -> soap.Answer:
            nt, ns = notified.NT["oasis"], soap.NS["oasis"]
            return soap.call(
                group,
                f'<n:GetCurrentMessage xmlns:n="{nt}"><n:Topic xmlns:sg="{ns["sg"]}" '
                f'xmlns:agg="{soap.AGG}" Dialect="{notified.TOPICS["oasis"]}Full">{topic}</n:Topic>'
                "</n:GetCurrentMessage>",
            )

        assert ask("sg:Entry").fault[0] == "NoCurrentMessageOnTopicFault"
        assert ask("sg:Other").fault[0] == "TopicNotSupportedFault"
        assert ask("*").fault[0] == "MultipleTopicsSpecifiedFault"
        count = ask("agg:RegistrationCount")
        assert count.body.find(".//{*}NewValues/{*}RegistrationCount") is not None
        # Kept for as long as somebody may still have to be told of it.
        consumer.respond = lambda body: 500
        subscribe(group, consumer.url)
        soap.add(group, "http://m/a")
        assert told(ask("sg:Entry").body[0]) == "http://m/a"
        with notified.producer() as producer:
            # A change that is told to who asks for it alone is not the topic's current message.
            subscribe(group, consumer.url, more=CHANGED)
            soap.add(group, producer.url, notified.subscription_config())
            producer.notify(producer.change("41"))
            until(lambda: b">41<" in soap.get_property(group, "sg:Entry").content, what="it")
            current = ask("sg:Entry")
        assert told(current.body[0]) == producer.url
        assert b">41<" not in current.content


class TestManager:
    def test_a_read_of_no_property_is_refused(self, group: str) -> None:
        manager = subscribe(group, "http://127.0.0.1:1/c")
        rp = soap.NS["oasis"]["rp"]
        answer = soap.call(manager, f'<rp:GetMultipleResourceProperties xmlns:rp="{rp}"/>')
        assert answer.fault[0] == "InvalidResourcePropertyQNameFault"
        assert manage(manager, "Unsubscribe").status == 200

    def test_renews_for_a_while_or_until(self, group: str, consumer: Consumer) -> None:
        manager = subscribe(group, consumer.url, termination="PT2S")
        answer = manage(manager, "Renew", inner="<o:TerminationTime>PT60S</o:TerminationTime>")
        names = [etree.QName(child).localname for child in answer.body]
        assert names == ["TerminationTime", "CurrentTime"]
        time.sleep(2.2)
        soap.add(group, "http://m/a")
        consumer.until_messages(1)
        over = "<o:TerminationTime>2001-01-01T00:00:00Z</o:TerminationTime>"
        answer = manage(manager, "Renew", inner=over)
        assert answer.fault[0] == "UnacceptableTerminationTimeFault"

    def test_one_that_is_over_is_told_nothing_more(self, group: str, consumer: Consumer) -> None:
        manager = subscribe(group, consumer.url, termination="PT1S")
        time.sleep(1.1)
        assert manage(manager, "Unsubscribe").fault[0] == "ResourceUnknownFault"
        soap.add(group, "http://m/a")
        time.sleep(0.5)
        assert consumer.messages() == []

    @pytest.mark.parametrize("family", FAMILIES)
    def test_pauses_and_resumes(self, group: str, consumer: Consumer, family: soap.Family) -> None:
        manager = subscribe(group, consumer.url, family=family)
        soap.add(group, "http://m/a")
        consumer.until_messages(1)
        assert manage(manager, "PauseSubscription", family=family).status == 200
        soap.add(group, "http://m/b")
        assert manage(manager, "ResumeSubscription", family=family).status == 200
        soap.add(group, "http://m/c")
        assert [*map(told, consumer.until_messages(2))] == ["http://m/a", "http://m/c"]

    @pytest.mark.parametrize(("family", "how"), [("oasis", "Unsubscribe"), ("gt4", "Destroy")])
    def test_ends(self, group: str, consumer: Consumer, family: soap.Family, how: str) -> None:
        manager = subscribe(group, consumer.url, family=family)
        assert manage(manager, how, family=family).status == 200
        assert manage(manager, how, family=family).fault[0] == "ResourceUnknownFault"
        soap.add(group, "http://m/a")
        time.sleep(0.5)
        assert consumer.messages() == []

    def test_tells_of_a_subscription(self, group: str, consumer: Consumer) -> None:
        manager = subscribe(group, consumer.url, termination="PT60S")
        (found,) = document(manager).body
        assert found.tag == "{urn:mds-aggregator:notification}SubscriptionRP"
        assert found.findtext("{*}ConsumerReference/{*}Address") == consumer.url
        assert found.findtext("{*}Filter/{*}TopicExpression") == "sg:Entry"
        assert found.findtext("{*}health/{*}state") == "active"
        assert found.find("{*}TerminationTime") is not None

    def test_there_is_none_without_a_key(self, service: RunningService) -> None:
        address = f"{service.url}/wsrf/services/SubscriptionManagerService"
        for key in ("", "/", "/x", "/" + "0" * 46):
            assert manage(address + key, "Unsubscribe").fault[0] == "ResourceUnknownFault"
