"""The project's schemas of WS-BaseNotification and WS-Topics judge messages rightly."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.unit.test_schemas import AGG, EPR4, EPR5, TIME, fault, of, whole

WSNT = "http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd"
B2 = "http://docs.oasis-open.org/wsn/b-2"
T1 = "http://docs.oasis-open.org/wsn/t-1"
OURS = "urn:mds-aggregator:notification"
NT = {"gt4": WSNT, "oasis": B2}
EPR = {"gt4": EPR4, "oasis": EPR5}
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
SIMPLE = {
    "gt4": "http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple",
    "oasis": f"{T1}/TopicExpression/Simple",
}


def topic(dialect: str, name: str = "Topic") -> str:
    """An element that names the topic RegistrationCount."""
    return f'<n:{name} xmlns:a="{AGG}" Dialect="{SIMPLE[dialect]}">a:RegistrationCount</n:{name}>'


def element(dialect: str, name: str, inside: str = "") -> str:
    """An element of WS-BaseNotification around its inside."""
    return f'<n:{name} xmlns:n="{NT[dialect]}">{inside}</n:{name}>'


def change(dialect: str, values: str = "<x/>") -> str:
    """What a subscriber to a property is told."""
    name = "NewValue" if dialect == "gt4" else "NewValues"
    return (
        f'<p:ResourcePropertyValueChangeNotification xmlns:p="{of(dialect, "rp")}">'
        f"<p:{name}>{values}</p:{name}></p:ResourcePropertyValueChangeNotification>"
    )


def notify(dialect: str, *, message: str, inside: str = "") -> str:
    """Notify with one notification."""
    producer = f"<n:ProducerReference>{EPR[dialect]}</n:ProducerReference>"
    return element(
        dialect,
        "Notify",
        f"<n:NotificationMessage>{inside}{topic(dialect)}{producer}"
        f"<n:Message>{message}</n:Message></n:NotificationMessage>",
    )


def subscribe(dialect: str, *, end: str = TIME) -> str:
    """Subscribe with all that can be asked for."""
    query = f' Dialect="{XPATH}">true()</n:'
    consumer = f"<n:ConsumerReference>{EPR[dialect]}</n:ConsumerReference>"
    expression = topic(dialect, "TopicExpression")
    time = f"<n:InitialTerminationTime>{end}</n:InitialTerminationTime>"
    policy = f'<m:ChangedEntries xmlns:m="{OURS}"/>'
    policy = f"<n:SubscriptionPolicy>{policy}</n:SubscriptionPolicy>"
    if dialect == "gt4":
        queries = f"<n:Precondition{query}Precondition><n:Selector{query}Selector>"
        asked = f"{expression}<n:UseNotify>false</n:UseNotify>{queries}{policy}{time}"
    else:
        queries = f"<n:ProducerProperties{query}ProducerProperties>"
        queries += f"<n:MessageContent{query}MessageContent>"
        policy = policy.replace("<m:", "<n:UseRaw/><m:")
        asked = f"<n:Filter>{expression}{queries}</n:Filter>{time}{policy}"
    return element(dialect, "Subscribe", consumer + asked)


def producer_document(dialect: str) -> str:
    """The properties of a producer, in their order."""
    dialects = "TopicExpressionDialects" if dialect == "gt4" else "TopicExpressionDialect"
    inside = topic(dialect, "Topic" if dialect == "gt4" else "TopicExpression")
    inside += f"<n:FixedTopicSet>true</n:FixedTopicSet><n:{dialects}>{SIMPLE[dialect]}"
    inside += f"</n:{dialects}>"
    if dialect == "oasis":
        inside += (
            f'<t:TopicSet xmlns:t="{T1}" xmlns:a="{AGG}"><a:RegistrationCount t:topic="true"/>'
            "</t:TopicSet>"
        )
    return element(dialect, "NotificationProducerRP", inside)


def spoken(dialect: str) -> dict[str, str]:
    """Messages that a dialect knows, by a name for the test."""
    return {
        "Subscribe": subscribe(dialect),
        "SubscribeResponse": element(
            dialect,
            "SubscribeResponse",
            f"<n:SubscriptionReference>{EPR[dialect]}</n:SubscriptionReference>",
        ),
        "GetCurrentMessage": element(dialect, "GetCurrentMessage", topic(dialect)),
        "GetCurrentMessageResponse": element(dialect, "GetCurrentMessageResponse", change(dialect)),
        "Notify": notify(dialect, message=change(dialect)),
        "PauseSubscription": element(dialect, "PauseSubscription"),
        "ResumeSubscriptionResponse": element(dialect, "ResumeSubscriptionResponse"),
        "producer": producer_document(dialect),
        "NoCurrentMessageOnTopicFault": fault(dialect, NT[dialect], "NoCurrentMessageOnTopicFault"),
    }


GT4_ONLY = {
    "ResourceUnknownFault": fault("gt4", WSNT, "ResourceUnknownFault"),
    "text for a message": notify("gt4", message="all is well"),
    "several values": change("gt4", "<x/><x/>"),
    "policy kept": element("gt4", "SubscribeResponse", f'<m:ChangedEntries xmlns:m="{OURS}"/>'),
}
OASIS_ONLY = {
    "a duration": subscribe("oasis", end="PT20M"),
    "several values": change("oasis", "<x/><x/>"),
    "the subscription": notify(
        "oasis",
        message="<x/>",
        inside=f"<n:SubscriptionReference>{EPR5}</n:SubscriptionReference>",
    ),
    "Renew": element("oasis", "Renew", "<n:TerminationTime>PT1H</n:TerminationTime>"),
    "RenewResponse": element(
        "oasis",
        "RenewResponse",
        f"<n:TerminationTime>{TIME}</n:TerminationTime><n:CurrentTime>{TIME}</n:CurrentTime>",
    ),
    "policy kept": element(
        "oasis",
        "SubscribeResponse",
        f"<n:SubscriptionReference>{EPR5}</n:SubscriptionReference>"
        f'<m:ChangedEntries xmlns:m="{OURS}"/>',
    ),
    "UnacceptableTerminationTimeFault": fault("oasis", B2, "UnacceptableTerminationTimeFault")[
        : -len("</f:UnacceptableTerminationTimeFault>")
    ]
    + f"<f:MinimumTime>{TIME}</f:MinimumTime></f:UnacceptableTerminationTimeFault>",
}
HEADER = f'<m:Notifications xmlns:m="{OURS}"><m:Notification id="7:1"/></m:Notifications>'
VALID = [
    pytest.param(dialect, text, id=f"{dialect} {name}")
    for dialect, only in (("gt4", GT4_ONLY), ("oasis", OASIS_ONLY))
    for name, text in {**spoken(dialect), **only, "header": HEADER}.items()
]
INVALID = [
    pytest.param("gt4", subscribe("gt4", end="PT20M"), id="gt4 Subscribe with a duration"),
    pytest.param("oasis", subscribe("oasis", end="soon"), id="oasis Subscribe until a word"),
    pytest.param(
        "gt4",
        subscribe("gt4").replace("TopicExpression", "Topic"),
        id="gt4 Subscribe without a topic",
    ),
    pytest.param(
        "gt4",
        notify(
            "gt4", message="", inside=f"<n:SubscriptionReference>{EPR4}</n:SubscriptionReference>"
        ),
        id="gt4 Notify with the final standard's SubscriptionReference",
    ),
    pytest.param("oasis", notify("oasis", message=""), id="oasis Notify without a message"),
    pytest.param("oasis", element("oasis", "Notify"), id="oasis Notify without a notification"),
    pytest.param(
        "oasis",
        fault("oasis", B2, "UnacceptableTerminationTimeFault"),
        id="oasis fault without the times that are taken",
    ),
    pytest.param(
        "oasis",
        producer_document("oasis").replace("<a:RegistrationCount", "<RegistrationCount"),
        id="oasis TopicSet with a topic of no namespace",
    ),
    pytest.param("oasis", HEADER.replace(' id="7:1"', ""), id="header without an id"),
]


@pytest.mark.parametrize(("dialect", "text"), VALID)
def test_takes_what_is_right(dialect: str, text: str) -> None:
    whole(dialect).assertValid(etree.fromstring(text))


@pytest.mark.parametrize(("dialect", "text"), INVALID)
def test_refuses_what_is_wrong(dialect: str, text: str) -> None:
    assert not whole(dialect).validate(etree.fromstring(text))
