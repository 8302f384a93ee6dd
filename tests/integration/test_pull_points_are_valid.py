"""Replies and faults of pull points are valid by the published schemas and by ours."""

from __future__ import annotations

import pytest
import zeep

from tests import pulled, soap
from tests.notified import Consumer, subscribe
from tests.pulled import pull_point
from tests.service import RunningService
from tests.waiting import until

from .validity_kit import Follows, answered, consumer, follows, served

__all__ = ["consumer", "follows", "served"]


def test_pull_points(served: RunningService, follows: Follows) -> None:
    group = served.next_group()
    factory = f"{served.url}/wsrf/services/PullPointService"
    answered(pulled.call(factory, "CreatePullPoint"), follows)
    address = pull_point(served.url)
    answered(pulled.call(address, "GetMessages"), follows)
    subscribe(group, address)
    soap.destroy(soap.add(group, "http://m/a"))
    found: list[object] = []
    while len(found) < 2:
        answer = until(
            lambda: (a := pulled.call(address, "GetMessages")).body.find("{*}*") is not None and a,
            what="messages",
        )
        found += answered(answer, follows).findall("{*}NotificationMessage")
    wrong = "<n:MaximumNumber>x</n:MaximumNumber>"
    answered(pulled.call(address, "GetMessages", wrong), follows, 500)
    answered(pulled.call(address, "DestroyPullPoint"), follows)
    answered(pulled.call(address, "GetMessages"), follows, 500)


def test_zeep_works_with_the_wsdl(served: RunningService) -> None:
    group = served.next_group()
    factory = zeep.Client(f"{served.url}/wsrf/services/PullPointService?wsdl")
    address = factory.service.CreatePullPoint().PullPoint.Address._value_1
    binding = "{urn:mds-aggregator:pullpoint}PullPointSOAPBinding"
    pulling = factory.create_service(binding, address)
    assert pulling.GetMessages(MaximumNumber=5).NotificationMessage == []
    subscribe(group, address)
    soap.add(group, "http://m/a")
    [message] = until(lambda: pulling.GetMessages().NotificationMessage, what="a message")
    assert message.ProducerReference.Address._value_1 == group
    # Decoded by the schemas that the WSDL leads to, down to the entry.
    [entry] = message.Message._value_1.NewValues._value_1
    assert entry.MemberServiceEPR.Address._value_1 == "http://m/a"
    pulling.DestroyPullPoint()
    with pytest.raises(zeep.exceptions.Fault, match="no such pull point"):
        pulling.GetMessages()


def test_what_comes_from_others_is_given_as_valid_as_it_came(
    served: RunningService, consumer: Consumer, follows: Follows
) -> None:
    """What one service tells another's pull point, which is told on."""
    group, address = served.next_group(), pull_point(served.url)
    subscribe(group, consumer.url)
    soap.add(group, "http://m/a")
    consumer.until_messages(1)
    assert soap.post(address, consumer.bodies[0]).status == 202
    answer = pulled.call(address, "GetMessages")
    assert answered(answer, follows).find("{*}NotificationMessage") is not None
