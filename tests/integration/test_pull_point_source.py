"""Members that are devices of ONVIF, whose messages are fetched."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests import notified, onvif, soap
from tests.onvif_schemas import TT
from tests.service import MANY_GROUPS, running_service, start_service
from tests.waiting import until

from . import pull_kit
from .notification_kit import group
from .pull_kit import data, failing, pull_config, service, state, until_state

CONFIG = f"{pull_kit.CONFIG}{MANY_GROUPS}"
__all__ = ["group", "service"]


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
            device.tell("Motion", "cam1", "false")
            until_state(group, Motion__cam1="false")
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

    @pytest.mark.parametrize("fails", ["InvalidArgVal", "NotAuthorized"])
    def test_one_that_takes_subscriptions_and_knows_none_is_not_stormed(
        self, group: str, fails: str
    ) -> None:
        with onvif.device(fails=fails) as device:
            with failing(group):
                soap.add(group, device.events, pull_config())
                time.sleep(4)
            assert device.calls.count("CreatePullPointSubscription") == 1
            # Where it comes to itself, the subscription is there still.
            device.fails = ""
            device.tell("Motion", "cam1", "true")
            until_state(group, Motion__cam1="true")

    def test_one_that_is_busy_keeps_what_waits(self, group: str) -> None:
        with onvif.device() as device:
            soap.add(group, device.events, pull_config())
            device.tell("Motion", "cam1", "true")
            until_state(group, Motion__cam1="true")
            device.fails = "ResourceUnavailableFault"
            device.tell("Motion", "cam1", "false")
            with failing(group):
                pass
            device.fails = ""
            until_state(group, Motion__cam1="false")
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
