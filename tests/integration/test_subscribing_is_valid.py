"""Replies and faults about subscriptions are valid by the published schemas and by ours."""

from __future__ import annotations

from lxml import etree

from tests import soap
from tests.clients.own_schemas import check_against_ours, dialect_schema
from tests.notified import NT, TOPICS, Consumer, manage, subscribe, subscribe_body
from tests.service import RunningService
from tests.soap import AGG, NS, XPATH, Family

from .validity_kit import (
    AT,
    FAMILIES,
    Follows,
    answered,
    consumer,
    everything,
    families,
    follows,
    get,
    served,
)

__all__ = ["consumer", "follows", "served"]

#: For who has the schemas of the properties after which its topics are named, it can't be valid.
TOPIC_SET = "{http://docs.oasis-open.org/wsn/t-1}TopicSet"


def topic(family: Family, name: str, kind: str = "Simple") -> str:
    """GetCurrentMessage of a topic."""
    declared = "".join(f' xmlns:{p}="{NS[family][p]}"' for p in ("sg", "rl"))
    return (
        f'<n:GetCurrentMessage xmlns:n="{NT[family]}" xmlns:agg="{AGG}"{declared}>'
        f'<n:Topic Dialect="{TOPICS[family]}{kind}">{name}</n:Topic></n:GetCurrentMessage>'
    )


@families
def test_subscribing(
    served: RunningService, consumer: Consumer, family: Family, follows: Follows
) -> None:
    group = served.next_group()
    entry = soap.add(group, "http://m/a", family=family)
    for url, body in (
        (group, subscribe_body(consumer.url, family=family)),
        (group, everything(family, consumer.url, policy="")),
        (entry.address, subscribe_body(consumer.url, "rl:TerminationTime", family=family)),
    ):
        answered(soap.call(url, body), follows)
    agreed = soap.call(group, everything(family, consumer.url)).body
    assert agreed.find("{urn:mds-aggregator:notification}ChangedEntries") is not None
    check_against_ours(agreed)
    if family == "oasis":
        # The draft has no place for a policy in the reply; only who asks for ours is told of it.
        follows(agreed)


@families
def test_what_was_told_last(
    served: RunningService, consumer: Consumer, family: Family, follows: Follows
) -> None:
    group = served.next_group()
    consumer.respond = lambda body: 500
    subscribe(group, consumer.url, family=family)
    entry = soap.add(group, "http://m/a", family=family)
    for url, name in (
        (group, "sg:Entry"),
        (group, "agg:RegistrationCount"),
        (entry.address, "rl:TerminationTime"),
        (entry.address, "sg:Content"),
    ):
        answered(soap.call(url, topic(family, name)), follows)
    wrong = answered(soap.call(group, topic(family, "sg:Other")), follows, status=500)
    assert wrong.find(".//{*}TopicNotSupportedFault") is not None
    several = answered(soap.call(group, topic(family, "*", "Full")), follows, status=500)
    name = "InvalidTopicExpression" if family == "gt4" else "MultipleTopicsSpecified"
    assert several.find(f".//{{*}}{name}Fault") is not None


@families
def test_topics(served: RunningService, family: Family, follows: Follows) -> None:
    group = served.next_group()
    entry = soap.add(group, "http://m/a", family=family)
    names = ["n:Topic", "n:FixedTopicSet", "n:TopicExpressionDialects"]
    if family == "oasis":
        names = ["n:TopicExpression", "n:FixedTopicSet", "n:TopicExpressionDialect"]
    for url in (group, entry.address):
        for asked in (*([name] for name in names), names):
            answered(soap.call(url, get(family, *asked)), follows)
        told = soap.call(url, get(family, names[0])).body
        assert len(told) == 2
        for element in told:
            # What is published is taken as it stands.
            body = subscribe_body("http://c/", element.text, family=family)
            declared = f'<n:Subscribe xmlns:t="{element.nsmap["t"]}" '
            answered(soap.call(url, body.replace("<n:Subscribe ", declared, 1)), follows)
        count = soap.query(
            url, "count(/*/n:FixedTopicSet)", family=family, declare=f'xmlns:n="{NT[family]}"'
        )
        assert count.body.text == "1"


def test_a_topic_set_is_told_to_who_asks_for_it_alone(served: RunningService) -> None:
    group = served.next_group()
    soap.add(group, "http://m/a")
    for family in FAMILIES:
        (found,) = soap.call(group, get(family, "t:TopicSet")).body
        assert found.tag == TOPIC_SET
        names = [f"{{{NS['oasis']['sg']}}}Entry", f"{{{AGG}}}RegistrationCount"]
        assert [child.tag for child in found] == names
        assert all(child.get(TOPIC_SET[:-3].replace("Topic", "topic")) == "true" for child in found)
        dialect_schema("oasis").assertValid(etree.fromstring(etree.tostring(found)))
        # Its elements would be found where entries are looked for.
        count = soap.query(group, "count(//*[local-name()='Entry'])", family=family)
        assert count.body.text == "1"


@families
def test_managing(
    served: RunningService, consumer: Consumer, family: Family, follows: Follows
) -> None:
    group = served.next_group()
    answer = soap.call(group, everything(family, consumer.url, policy=""))
    manager = answer.body.findtext("{*}SubscriptionReference/{*}Address") or ""
    kept = ["n:UseNotify", "n:Precondition", "n:Selector"] if family == "gt4" else ["n:Filter"]
    names = ["rl:CurrentTime", "rl:TerminationTime", "n:ConsumerReference", *kept]
    names += ["n:CreationTime", "h:health"]
    for asked in (*([name] for name in names), names):
        found = answered(soap.call(manager, get(family, *asked)), follows)
        assert [etree.QName(child).localname for child in found] == [
            name.rpartition(":")[2] for name in asked
        ]
    time = f"<o:RequestedTerminationTime>{AT}</o:RequestedTerminationTime>"
    calls = [("PauseSubscription", ""), ("ResumeSubscription", ""), ("SetTerminationTime", time)]
    if family == "oasis":
        calls += [("Renew", "<o:TerminationTime>PT1H</o:TerminationTime>")]
        document = f'<rp:GetResourcePropertyDocument xmlns:rp="{NS[family]["rp"]}"/>'
        (found,) = answered(soap.call(manager, document), follows)
        queries = found.find("{*}Filter")
        assert [etree.QName(one).localname for one in queries] == [
            *("TopicExpression", "ProducerProperties", "MessageContent")
        ]
        assert found.find("{*}SubscriptionPolicy/{*}UseRaw") is not None
        over = "<o:TerminationTime>2001-01-01T00:00:00Z</o:TerminationTime>"
        answered(manage(manager, "Renew", inner=over), follows, status=500)
    for operation, inner in calls:
        answered(manage(manager, operation, family=family, inner=inner), follows)
    wrong = soap.call(manager, get(family, "n:Nothing"))
    assert wrong.fault[0] == "InvalidResourcePropertyQNameFault"
    follows(wrong.body)
    last = "Destroy" if family == "gt4" else "Unsubscribe"
    answered(manage(manager, last, family=family), follows)
    for operation in (last, "PauseSubscription", "SetTerminationTime"):
        gone = manage(manager, operation, family=family, inner=time if operation[0] == "S" else "")
        assert gone.fault[0] == "ResourceUnknownFault"
        follows(gone.body)


@families
def test_what_is_refused(served: RunningService, family: Family, follows: Follows) -> None:
    group = served.next_group()
    query = f'Dialect="{XPATH}">[</n:'
    message, properties = ("MessageContent", "ProducerProperties")
    if family == "gt4":
        message, properties = ("Selector", "Precondition")
    for more in (
        {"topic": "sg:Other"},
        {"topic": "sg:*"},
        {"kind": "Fancy"},
        {"filters": f"<n:{message} {query}{message}>"},
        {"filters": f"<n:{properties} {query}{properties}>"},
        {
            "filters": "<agg:x/>"
            if family == "oasis"
            else f"<n:{message} Dialect='x'>1</n:{message}>"
        },
        {"termination": "2001-01-01T00:00:00Z"},
        *([{"more": "<agg:policy/>"}] if family == "oasis" else []),
    ):
        body = subscribe_body("http://c/", family=family, **more)  # type: ignore[arg-type]
        answered(soap.call(group, body), follows, status=500)
