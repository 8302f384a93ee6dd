"""Pull points of WS-BaseNotification: made, filled, asked, ended."""

from __future__ import annotations

import pytest

from tests import notified, pulled, soap
from tests.notified import manage, subscribe, subscribe_body
from tests.pulled import messages, pull_point
from tests.service import MANY_GROUPS, RunningService
from tests.waiting import until

from .each_database import service
from .notification_kit import group, told

CONFIG = f"[notifications]\nmax_pull_points = 30\nmax_pulled = 50\n{MANY_GROUPS}"
__all__ = ["group", "service"]

MESSAGE = (
    '<n:NotificationMessage xmlns:n="http://docs.oasis-open.org/wsn/b-2">'
    '<n:Topic Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple" '
    'xmlns:t="urn:t">t:Load</n:Topic><n:Message><t:Load xmlns:t="urn:t">7</t:Load></n:Message>'
    "</n:NotificationMessage>"
)


def notify(address: str, *messages: str) -> soap.Answer:
    return pulled.call(address, "Notify", "".join(messages))


def some(address: str, number: int | None = None) -> list[str]:
    """Of which members some messages tell, once there are any."""
    found = until(lambda: messages(address, number), what="messages")
    return [told(one.find("{*}Message")[0]) for one in found]


def test_what_is_told_waits_until_it_is_asked_for(service: RunningService, group: str) -> None:
    address = pull_point(service.url)
    assert messages(address) == []
    manager = subscribe(group, address)
    soap.add(group, "http://127.0.0.1:1/here")
    [message] = until(lambda: messages(address), what="a message")
    assert [child.tag.rpartition("}")[2] for child in message] == [
        "SubscriptionReference",
        "Topic",
        "ProducerReference",
        "Message",
    ]
    assert message.findtext("{*}SubscriptionReference/{*}Address") == manager
    assert message.findtext("{*}ProducerReference/{*}Address") == group
    assert told(message.find("{*}Message")[0]) == "http://127.0.0.1:1/here"
    assert messages(address) == []


def test_messages_come_in_order_and_once(service: RunningService, group: str) -> None:
    address = pull_point(service.url)
    subscribe(group, address)
    members = [f"http://127.0.0.1:1/{number}" for number in range(40)]
    for member in members:
        soap.add(group, member)
    assert messages(address, 0) == []
    found: list[str] = []
    while len(found) < len(members):
        more = some(address, 7)
        assert len(more) <= 7
        found += more
    assert found == members
    assert messages(address) == []


def test_more_than_waits_at_once_is_told_all_the_same(service: RunningService, group: str) -> None:
    address = pull_point(service.url)
    subscribe(group, address)
    members = [f"http://127.0.0.1:1/{number}" for number in range(120)]
    for member in members:
        soap.add(group, member)
    found: list[str] = []
    while len(found) < len(members):
        found += some(address)
    assert found == members


def test_others_may_notify_there_too(service: RunningService) -> None:
    address = pull_point(service.url)
    assert notify(address, MESSAGE, MESSAGE).status == 202
    found = messages(address)
    assert [one.findtext("{*}Message/{urn:t}Load") for one in found] == ["7", "7"]
    # Its prefixes mean there what they meant in the Notify.
    topic = found[0].find("{*}Topic")
    assert (topic.text, topic.nsmap["t"]) == ("t:Load", "urn:t")


def test_a_full_one_takes_nothing_from_others(service: RunningService) -> None:
    address = pull_point(service.url)
    assert notify(address, *[MESSAGE] * 50).status == 202
    answer = notify(address, MESSAGE)
    assert answer.fault[0] == "ResourceUnavailableFault"
    assert "at most 50 may" in answer.fault[1]
    assert len(messages(address)) == 50
    assert notify(address, MESSAGE).status == 202


def test_destroying_it_ends_what_was_subscribed_to_it(service: RunningService, group: str) -> None:
    address = pull_point(service.url)
    manager = subscribe(group, address)
    assert pulled.call(address, "DestroyPullPoint").status == 200
    for answer in (
        pulled.call(address, "GetMessages"),
        pulled.call(address, "DestroyPullPoint"),
        notify(address, MESSAGE),
        manage(manager, "Unsubscribe"),
    ):
        assert answer.fault[0] == "ResourceUnknownFault"


@pytest.mark.parametrize("number", ["-1", "x", "", "1e3"])
def test_a_number_that_is_none_is_refused(service: RunningService, number: str) -> None:
    address = pull_point(service.url)
    notify(address, MESSAGE)
    asked = f"<n:MaximumNumber>{number}</n:MaximumNumber>"
    answer = pulled.call(address, "GetMessages", asked)
    assert answer.fault[0] == "UnableToGetMessagesFault"
    assert "whole number" in answer.fault[1]
    assert len(messages(address)) == 1


def test_what_can_never_be_asked_for_is_no_consumer(service: RunningService, group: str) -> None:
    address = pull_point(service.url)
    raw = soap.call(group, subscribe_body(address, raw=True))
    assert raw.fault[0] == "UnsupportedPolicyRequestFault"
    assert raw.body.findtext(".//{*}UnsupportedPolicy").endswith(":UseRaw")
    draft = subscribe_body(address, family="gt4")
    for body in (subscribe_body(address + "x"), draft):
        assert soap.call(group, body).fault[0] == "SubscribeCreationFailedFault"
    nt = notified.NT["gt4"]
    message = MESSAGE.replace(notified.NT["oasis"], nt)
    answer = soap.call(address, f'<n:Notify xmlns:n="{nt}">{message}</n:Notify>')
    assert answer.fault[0] == "BaseFault"
    assert "final standard" in answer.fault[1]


def test_its_key_is_needed(service: RunningService) -> None:
    factory = f"{service.url}/wsrf/services/PullPointService"
    for operation in ("GetMessages", "DestroyPullPoint"):
        for address in (factory, f"{factory}/", f"{factory}/{'0' * 43}"):
            assert pulled.call(address, operation).fault[0] == "ResourceUnknownFault"
    assert pulled.call(pull_point(service.url), "CreatePullPoint").fault[0] == (
        "ResourceUnknownFault"
    )


def test_there_are_so_many_at_most(service: RunningService) -> None:
    factory = f"{service.url}/wsrf/services/PullPointService"
    made: list[str] = []
    while (answer := pulled.call(factory, "CreatePullPoint")).status == 200:
        made.append(answer.body.findtext("{*}PullPoint/{*}Address"))
        assert len(made) <= 30
    assert answer.fault[0] == "UnableToCreatePullPointFault"
    assert "30 pull points" in answer.fault[1]
    pulled.call(made[0], "DestroyPullPoint")
    assert pulled.call(factory, "CreatePullPoint").status == 200
    for address in made[1:]:
        pulled.call(address, "DestroyPullPoint")
