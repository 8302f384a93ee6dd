"""Groups that are members of others by pull points of WS-BaseNotification."""

from __future__ import annotations

import re
import time

from tests import pulled, soap
from tests.notified import manage, subscribe
from tests.service import MANY_GROUPS, RunningService
from tests.waiting import until

from . import pull_kit
from .notification_kit import group
from .pull_kit import data, pull_config, service

CONFIG = f"{pull_kit.CONFIG}{MANY_GROUPS}"
__all__ = ["group", "service"]


def managers_in(service: RunningService) -> set[str]:
    """The addresses of all subscriptions that the log tells to have been made."""
    keys = re.findall(r"subscribed .*subscription=(\w+)", service.log.read_text())
    return {f"{service.url}/wsrf/services/SubscriptionManagerService/{key}" for key in keys}


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

    def test_what_the_producer_ended_is_made_again(
        self, service: RunningService, group: str
    ) -> None:
        """The pull point is there all the while, and says nothing of it."""
        upper = service.next_group()
        asked = f"<agg:PullPointFactory>{service.url}/wsrf/services/PullPointService"
        soap.add(upper, group, pull_config(f"{asked}</agg:PullPointFactory>", topic="sg:Entry"))
        soap.add(group, "http://127.0.0.1:1/first")
        found = until(lambda: data(upper), what="the first entry")
        point = pulled.pull_point(service.url)
        manager = subscribe(group, point)
        soap.add(group, "http://127.0.0.1:1/second")
        path = "{*}MemberServiceEPR/{*}Address"
        until(lambda: data(upper)[0].findtext(path).endswith("second"), what="the second")
        # All that is subscribed to the group but ours.
        [message] = until(lambda: pulled.messages(point), what="a message")
        assert message.findtext("{*}SubscriptionReference/{*}Address") == manager
        assert found is not None
        for one in managers_in(service):
            if one != manager:
                manage(one, "Unsubscribe")
        time.sleep(7)
        soap.add(group, "http://127.0.0.1:1/third")
        until(lambda: data(upper)[0].findtext(path).endswith("third"), what="the third")

    def test_a_group_is_followed_as_a_device(self, service: RunningService, group: str) -> None:
        upper = service.next_group()
        entry = soap.add(upper, group, pull_config(topic="sg:Entry"))
        soap.add(group, "http://127.0.0.1:1/below")
        found = until(lambda: data(upper), what="the entry of the lower group")
        assert found[0].findtext("{*}MemberServiceEPR/{*}Address") == "http://127.0.0.1:1/below"
        soap.destroy(entry)
