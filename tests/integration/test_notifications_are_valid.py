"""What groups, entries and members tell is valid by the published schemas and by ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import etree

from tests import notified, soap
from tests.clients.own_schemas import check_against_ours, dialect_schema
from tests.integration.member_kit import RunningMember, member
from tests.notified import NT, Consumer, manage, subscribe, subscribe_body
from tests.service import RunningService
from tests.soap import Family
from tests.waiting import until

from .notification_kit import renewed
from .validity_kit import (
    CHANGED,
    Follows,
    answered,
    by_the_published,
    consumer,
    families,
    follows,
    get,
    served,
)

__all__ = ["consumer", "follows", "served"]

TICKING = """
[namespaces]
t = "urn:t"
[[property]]
name = "t:Count"
executable = ["/bin/sh", "-c", "echo \\"<t:Count xmlns:t='urn:t'>$(date +%s%N)</t:Count>\\""]
period = "1s"
"""


@families
def test_what_groups_and_entries_tell(
    served: RunningService, consumer: Consumer, family: Family, follows: Follows
) -> None:
    group = served.next_group()
    with notified.producer(family=family) as producer:
        topics = ("sg:Entry", "agg:RegistrationCount")
        for name in topics:
            subscribe(group, consumer.url, name, family=family, more=_policy(family))
        config = notified.subscription_config(family=family)
        entry = soap.add(group, producer.url, config, family=family)
        for name in ("rl:TerminationTime", "sg:Content"):
            subscribe(entry.address, consumer.url, name, family=family)
        renewed(entry, family)
        producer.notify(producer.change("41"))
        until(lambda: b">41<" in b"".join(consumer.bodies), what="the new content")
        soap.destroy(entry)
        until(
            lambda: (
                {etree.QName(one).localname for one in consumer.messages()}
                == {"ResourcePropertyValueChangeNotification", "TerminationNotification"}
            ),
            what="the end of the entry",
        )
        until(
            lambda: any(
                one.find("{*}OldValue") is not None or one.find("{*}OldValues") is not None
                for one in consumer.messages()
            ),
            what="the entry's removal",
        )
    _check(consumer, family, follows)


def _policy(family: Family) -> str:
    if family == "oasis":
        return CHANGED
    return f"<n:SubscriptionPolicy>{CHANGED}</n:SubscriptionPolicy>"


def _check(consumer: Consumer, family: Family, follows: Follows) -> None:
    """Every Notify follows the schemas, and its header ours."""
    for content in consumer.bodies:
        envelope = etree.fromstring(content)
        (notify,) = envelope.find("{*}Body")
        assert notify.tag == f"{{{NT[family]}}}Notify"
        follows(notify)
        (header,) = envelope.iterfind("{*}Header/{urn:mds-aggregator:notification}Notifications")
        dialect_schema(family).assertValid(etree.fromstring(etree.tostring(header)))
        assert len(header) == len(notify)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMember]:
    with member(tmp_path_factory.mktemp("member"), TICKING) as running:
        yield running


def _to_count(url: str, family: Family) -> str:
    body = subscribe_body(url, "x:Count", family=family)
    return body.replace("<n:Subscribe ", '<n:Subscribe xmlns:x="urn:t" ')


@families
def test_what_a_member_tells_and_answers(
    host: RunningMember, consumer: Consumer, family: Family, follows: Follows
) -> None:
    for nobody in ("mailto:x", "http://"):
        refused = answered(soap.call(host.url, _to_count(nobody, family)), follows, status=500)
        assert refused.find(".//{*}SubscribeCreationFailedFault") is not None
    body = _to_count(consumer.url, family)
    subscribed = answered(soap.call(host.url, body), follows)
    manager = subscribed.findtext("{*}SubscriptionReference/{*}Address") or ""
    consumer.until_messages(2)
    _check(consumer, family, follows)
    name = "n:Topic" if family == "gt4" else "n:TopicExpression"
    (told,) = answered(soap.call(host.url, get(family, name)), follows)
    assert told.text == "t:Count"
    assert told.nsmap["t"] == "urn:t"
    declared = f'xmlns:n="{NT[family]}"'
    count = soap.query(host.url, f"string(/*/{name})", family=family, declare=declared)
    assert count.body.text == "t:Count"
    for asked in ("n:ConsumerReference", "rl:CurrentTime", "h:health"):
        answered(soap.call(manager, get(family, asked)), follows)
    answered(manage(manager, "PauseSubscription", family=family), follows)
    (health,) = soap.call(manager, get(family, "h:health")).body
    assert health.findtext("{*}state") == "paused"
    answered(manage(manager, "Destroy", family=family), follows)
    gone = soap.call(manager, get(family, "h:health"))
    assert gone.fault[0] == "ResourceUnknownFault"
    follows(gone.body)


def test_the_topic_set_of_a_member_is_of_what_can_be_configured(host: RunningMember) -> None:
    (found,) = soap.call(host.url, get("oasis", "t:TopicSet")).body
    assert [child.tag for child in found] == ["{urn:t}Count"]
    check_against_ours(found)
    by_the_published(found)
