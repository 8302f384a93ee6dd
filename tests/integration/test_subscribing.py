"""Subscribe: what is refused, by the fault that says so."""

from __future__ import annotations

import pytest

from tests import notified, soap
from tests.notified import subscribe, subscribe_body
from tests.service import MANY_GROUPS

from .each_database import service
from .notification_kit import consumer, group

CONFIG = f"[notifications]\nmax_subscriptions = 20\n{MANY_GROUPS}"
__all__ = ["consumer", "group", "service"]

REFUSED = {
    "no topic": (subscribe_body("http://c/", "sg:Other"), "TopicNotSupportedFault"),
    "a wrong expression": (subscribe_body("http://c/", "sg:*"), "InvalidTopicExpressionFault"),
    "an unknown prefix": (subscribe_body("http://c/", "x:Entry"), "InvalidTopicExpressionFault"),
    "an unknown dialect": (
        subscribe_body("http://c/", kind="Fancy"),
        "TopicExpressionDialectUnknownFault",
    ),
    "an unknown filter": (subscribe_body("http://c/", filters="<agg:x/>"), "InvalidFilterFault"),
    "a wrong content filter": (
        subscribe_body("http://c/", filters="<n:MessageContent Dialect=''>$x</n:MessageContent>"),
        "InvalidMessageContentExpressionFault",
    ),
    "a wrong properties filter": (
        subscribe_body(
            "http://c/", filters="<n:ProducerProperties Dialect='urn:x'>1</n:ProducerProperties>"
        ),
        "InvalidProducerPropertiesExpressionFault",
    ),
    "an unknown policy": (
        subscribe_body("http://c/", more="<agg:policy/>"),
        "UnrecognizedPolicyRequestFault",
    ),
    "a time that is over": (
        subscribe_body("http://c/", termination="2001-01-01T00:00:00Z"),
        "UnacceptableInitialTerminationTimeFault",
    ),
    "a time that is none": (
        subscribe_body("http://c/", termination="soon"),
        "UnacceptableInitialTerminationTimeFault",
    ),
    "a consumer that is none": (subscribe_body("mailto:x"), "SubscribeCreationFailedFault"),
    "no consumer": (
        f'<n:Subscribe xmlns:n="{notified.NT["oasis"]}"/>',
        "SubscribeCreationFailedFault",
    ),
    "the draft without a topic": (
        subscribe_body("http://c/", "", family="gt4"),
        "SubscribeCreationFailedFault",
    ),
    "the draft's unknown dialect": (
        subscribe_body("http://c/", kind="Fancy", family="gt4"),
        "TopicPathDialectUnknownFault",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_by_the_fault_that_says_so(group: str, case: str) -> None:
    body, fault = REFUSED[case]
    assert soap.call(group, body).fault[0] == fault


def test_more_subscriptions_than_allowed_are_refused(group: str) -> None:
    for _ in range(20):
        subscribe(group, "http://127.0.0.1:1/")
    answer = soap.call(group, subscribe_body("http://127.0.0.1:1/"))
    assert answer.fault[0] == "SubscribeCreationFailedFault"
    assert "max_subscriptions" in answer.fault[1]
