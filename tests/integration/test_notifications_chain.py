"""A member, an index that is subscribed to it, one that is subscribed to that, and a subscriber."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from tests import notified, soap
from tests.notified import subscribe, subscription_config
from tests.service import running_service

from .member_kit import member

CHANGED = '<m:ChangedEntries xmlns:m="urn:mds-aggregator:notification"/>'
FAMILIES: tuple[soap.Family, ...] = ("gt4", "oasis")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_change_goes_from_index_to_index_to_who_subscribed(
    tmp_path: Path, family: soap.Family
) -> None:
    """All of them real processes: as the registration file of MDS4 has one index in another."""
    value = tmp_path / "value"
    value.write_text('<t:Load xmlns:t="urn:t">1</t:Load>')
    properties = f'[[property]]\nname = "{{urn:t}}Load"\nfile = "{value}"\nperiod = "100ms"\n'
    policy = CHANGED
    if family == "gt4":
        policy = f"<n:SubscriptionPolicy>{CHANGED}</n:SubscriptionPolicy>"
    with (
        member(tmp_path / "member", properties) as machine,
        running_service(tmp_path / "lower") as lower,
        running_service(tmp_path / "upper") as upper,
        notified.consumer() as consumer,
    ):
        config = subscription_config("sg:Entry", family=family)
        soap.add(upper.group, lower.group, config, family=family)
        subscribe(upper.group, consumer.url, family=family, more=policy)
        config = subscription_config(family=family)
        soap.add(lower.group, machine.url, config, family=family)
        for number in ("1", "2", "3"):
            value.write_text(f'<t:Load xmlns:t="urn:t">{number}</t:Load>')
            notified.until(
                lambda number=number: loads(consumer.messages())[-1:] == [number],
                what=f"the value {number} at the subscriber of the upper index",
            )
        # The lower index's entry, within that of the upper one, within the message.
        [entry] = soap.entries(upper.group, family=family)
        path = "{*}Content/{*}AggregatorData/{*}Entry/{*}MemberServiceEPR/{*}Address"
        assert entry.findtext(path) == machine.url


def loads(messages: list[etree._Element]) -> list[str]:
    """The values that messages tell, in order."""
    return [str(load.text) for message in messages for load in message.iter("{urn:t}Load")]
