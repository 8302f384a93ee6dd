"""Members whose notifications are fetched: devices of ONVIF, and pull points."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import notified, onvif, soap
from tests.onvif import Device
from tests.onvif_schemas import CONCRETE_SET, TNS1, TT
from tests.service import MANY_GROUPS, RunningService, running_service, start_service
from tests.waiting import until

from .each_database import service
from .notification_kit import group

CONFIG = f"[notifications]\nsubscription_lifetime = '10s'\nestablish_timeout = '5s'\n{MANY_GROUPS}"
__all__ = ["group", "service"]


def pull_config(inner: str = "", *, topic: str = "", millis: int = 1000) -> str:
    """An AggregatorConfig that fetches; the prefixes tns1, t and sg are declared."""
    expression = ""
    if topic:
        expression = f'<agg:TopicExpression Dialect="{CONCRETE_SET}">{topic}</agg:TopicExpression>'
    return (
        f'<agg:AggregatorConfig xmlns:agg="{soap.AGG}" xmlns:tns1="{TNS1}" xmlns:t="urn:t" '
        f'xmlns:sg="{soap.NS["oasis"]["sg"]}"><agg:AggregatorPullPointType>'
        f"<agg:PollIntervalMillis>{millis}</agg:PollIntervalMillis>{expression}{inner}"
        "</agg:AggregatorPullPointType></agg:AggregatorConfig>"
    )


def data(group: str) -> list[etree._Element]:
    """What the first entry publishes."""
    (entry, *_) = soap.entries(group)
    found = entry.find("{*}Content/{*}AggregatorData")
    return [] if found is None else list(found)


def state(group: str) -> dict[tuple[str, str], str]:
    """The state of a device that the first entry publishes: by topic and source."""
    found = {}
    for message in data(group):
        items = {
            item.get("Name"): item.get("Value") for item in message.iter(f"{{{TT}}}SimpleItem")
        }
        topic = message.findtext("{*}Topic").partition(":")[2]
        found[topic, items["Token"]] = items["State"]
    return found


def until_state(group: str, **wanted: str) -> None:
    """Wait for a state; names are topic, two underscores, source."""
    expected = {tuple(name.split("__")): value for name, value in wanted.items()}
    until(lambda: state(group) == expected, what=f"the state {expected}")


@contextlib.contextmanager
def failing(group: str) -> Iterator[None]:
    """A block after which the first entry tells that it can't be collected."""
    yield
    until(
        lambda: soap.entries(group)[0].find(".//{*}AggregatorError") is not None,
        what="the entry's error",
    )


class TestDevice:
    def test_its_properties_are_published(self, group: str) -> None:
        with onvif.device() as device:
            entry = soap.add(group, device.events, pull_config())
            device.tell("Motion", "cam1", "true", operation="Initialized")
            device.tell("Motion", "cam2", "false", operation="Initialized")
            device.tell("Tampering", "cam1", "false")
            until_state(group, Motion__cam1="true", Motion__cam2="false", Tampering__cam1="false")
            # Another prefix for the same topic; the last of each counts.
            device.tell("Motion", "cam1", "maybe")
            device.tell("Motion", "cam1", "false", prefix="other")
            device.tell("Motion", "cam2", "", operation="Deleted")
            until_state(group, Motion__cam1="false", Tampering__cam1="false")
            # Nothing of the subscription is shown to who reads.
            assert not any(one.findall("{*}ProducerReference") for one in data(group))
            assert device.calls.count("CreatePullPointSubscription") == 1
            assert soap.destroy(entry).status == 200
            until(lambda: not device.subscriptions, what="the end of the subscription")

    def test_the_filter_is_sent_on(self, group: str) -> None:
        expression = "boolean(//tt:SimpleItem[@Name='State'])"
        selector = f'<agg:Selector xmlns:tt="{TT}">{expression}</agg:Selector>'
        with onvif.device() as device:
            topic = "tns1:VideoSource//.|tns1:Device/Trigger"
            soap.add(group, device.events, pull_config(selector, topic=topic))
            assert device.filters == [topic, expression]

    def test_it_is_found_by_its_device_service(self, group: str) -> None:
        with onvif.device() as device:
            soap.add(group, device.device_service, pull_config())
            device.tell("Motion", "cam1", "true")
            until_state(group, Motion__cam1="true")

    def test_many_messages_come_in_order(self, group: str) -> None:
        with onvif.device() as device:
            soap.add(group, device.events, pull_config())
            for number in range(350):
                device.tell("Count", "cam1", str(number))
            until_state(group, Count__cam1="349")

    def test_it_is_subscribed_to_again_when_it_was_restarted(self, group: str) -> None:
        with onvif.device() as device:
            soap.add(group, device.events, pull_config())
            device.restart()
            until(lambda: device.subscriptions, what="a new subscription")
            device.tell("Motion", "cam1", "true")
            until_state(group, Motion__cam1="true")
            assert device.calls.count("CreatePullPointSubscription") == 2

    @pytest.mark.parametrize("renews", [True, False])
    def test_the_subscription_stays(self, group: str, *, renews: bool) -> None:
        """Some devices have no Renew, and each lives on by being asked."""
        with onvif.device(lifetime=4.0, renews=renews) as device:
            soap.add(group, device.events, pull_config())
            time.sleep(6)
            device.tell("Motion", "cam1", "true")
            until_state(group, Motion__cam1="true")
            assert device.calls.count("CreatePullPointSubscription") == 1

    def test_a_clock_that_is_wrong_does_not_matter(self, group: str) -> None:
        with onvif.device(skew=-86400 * 3650, lifetime=4.0) as device:
            soap.add(group, device.events, pull_config())
            time.sleep(5)
            device.tell("Motion", "cam1", "true")
            until_state(group, Motion__cam1="true")
            assert device.calls.count("CreatePullPointSubscription") == 1

    def test_one_without_a_free_slot_refuses_the_add(self, group: str) -> None:
        with onvif.device(slots=0) as device:
            answer = soap.call(group, soap.add_body(device.events, pull_config()))
            assert answer.fault[0] == "AddRefusedFault"
            assert "no such subscription" in answer.content.decode()
            assert soap.entries(group) == []

    def test_what_is_no_device_refuses_the_add(self, group: str) -> None:
        with notified.producer() as producer:
            answer = soap.call(group, soap.add_body(producer.url, pull_config()))
            assert answer.fault[0] == "AddRefusedFault"
            assert producer.calls == ["CreatePullPointSubscription", "CreatePullPoint"]
        assert soap.entries(group) == []

    def test_a_device_that_is_away_is_told(self, group: str) -> None:
        with onvif.device() as device, failing(group):
            soap.add(group, device.events, pull_config())
            device.tell("Motion", "cam1", "true")
            until_state(group, Motion__cam1="true")
            device.url = "http://127.0.0.1:1"
            device.restart()
        assert state(group) == {("Motion", "cam1"): "true"}


@pytest.fixture(scope="module")
def camera() -> Iterator[Device]:
    with onvif.device(login=("operator", 'sec"ret')) as device:
        yield device


@pytest.fixture(scope="module")
def running(camera: Device, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("logins")
    logins = folder / "netrc"
    host = camera.url.removeprefix("http://")
    logins.write_text(
        f'machine {host} login operator password sec\\"ret\ndefault login x password y\n'
    )
    logins.chmod(0o600)
    config = f'[collect]\nlogins = "{logins}"\n{CONFIG}'
    with running_service(folder / "service", config=config) as service:
        yield service


class TestLogin:
    """Devices that want a user name token."""

    @pytest.mark.parametrize("skew", [0, 7200, -86400 * 400])
    def test_it_is_told_who_asks(
        self, running: RunningService, camera: Device, skew: float
    ) -> None:
        camera.skew = skew
        group = running.next_group()
        entry = soap.add(group, camera.device_service, pull_config())
        camera.tell("Motion", "cam1", "true")
        until_state(group, Motion__cam1="true")
        soap.destroy(entry)
        until(lambda: not camera.subscriptions, what="the end of the subscription")

    def test_nobody_else_is(self, running: RunningService) -> None:
        """Whoever registers a device at another port learns nothing of the password."""
        with onvif.device(login=("operator", 'sec"ret')) as other:
            answer = soap.call(running.next_group(), soap.add_body(other.events, pull_config()))
            assert answer.fault[0] == "AddRefusedFault"
            assert "NotAuthorized" in answer.content.decode()
            assert other._nonces == set()


class TestPullPoint:
    """A service that is a member of another: what it has are pull points of the specification."""

    def test_a_group_is_followed_through_one(self, service: RunningService, group: str) -> None:
        upper = service.next_group()
        factory = f"{service.url}/wsrf/services/PullPointService"
        asked = (
            '<agg:TopicExpression Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple">'
            "sg:Entry</agg:TopicExpression>"
            f"<agg:PullPointFactory>{factory}</agg:PullPointFactory>"
        )
        soap.add(upper, group, pull_config(asked))
        soap.add(group, "http://127.0.0.1:1/below")
        found = until(lambda: data(upper), what="the entry of the lower group")
        assert found[0].findtext("{*}MemberServiceEPR/{*}Address") == "http://127.0.0.1:1/below"

    def test_a_group_is_followed_as_a_device(self, service: RunningService, group: str) -> None:
        upper = service.next_group()
        entry = soap.add(upper, group, pull_config(topic="sg:Entry"))
        soap.add(group, "http://127.0.0.1:1/below")
        found = until(lambda: data(upper), what="the entry of the lower group")
        assert found[0].findtext("{*}MemberServiceEPR/{*}Address") == "http://127.0.0.1:1/below"
        soap.destroy(entry)


def test_a_service_that_was_killed_goes_on_with_its_subscription(tmp_path: Path) -> None:
    with onvif.device() as device, running_service(tmp_path, config=CONFIG) as running:
        soap.add(running.group, device.events, pull_config())
        device.tell("Motion", "cam1", "true")
        until_state(running.group, Motion__cam1="true")
        running.kill()
        device.tell("Motion", "cam1", "false")
        again = start_service(tmp_path, config=CONFIG)
        try:
            until_state(again.group, Motion__cam1="false")
            assert device.calls.count("CreatePullPointSubscription") == 1
        finally:
            again.stop()


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("<agg:Timeout>PT11S</agg:Timeout>", "PT0S to PT10S"),
        ("<agg:Timeout>soon</agg:Timeout>", "xsd:duration"),
        ("<agg:PullPointFactory>ftp://x/</agg:PullPointFactory>", "makes no pull points"),
        ("<agg:PullPointFactory/>", "makes no pull points"),
        ("<agg:Selector>a[</agg:Selector>", "no XPath 1.0"),
        ("<agg:TopicExpression Dialect='urn:x'>a</agg:TopicExpression>", "'urn:x'"),
        ("<agg:TopicExpression>a</agg:TopicExpression>" * 2, "at most one"),
    ],
)
def test_a_block_that_can_not_work_refuses_the_add(group: str, inner: str, words: str) -> None:
    answer = soap.call(group, soap.add_body("http://127.0.0.1:1/x", pull_config(inner)))
    assert answer.fault[0] == "AddRefusedFault"
    assert words in answer.fault[1]
