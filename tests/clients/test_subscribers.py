"""Foreign clients subscribe by our WSDL, and foreign consumers take what they are told."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from lxml import etree

from tests import notified, soap
from tests.clients import gsoap_consumer
from tests.clients.clients import ForeignClient
from tests.clients.test_clients import DIALECTS, EACH, EACH_VERSION, QUERY, moment, need
from tests.notified import manage, subscribe
from tests.soap import NS, Family
from tests.waiting import until

INITIAL, RENEWED = "2041-01-01T00:00:00Z", "2042-01-01T00:00:00Z"
#: What is told of subscriptions is the same on each database.
real = pytest.mark.parametrize("running", ["sqlite"], indirect=True)


@pytest.mark.timeout(180)
@real
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("caller", EACH_VERSION)
def test_subscribes_renews_and_ends(
    caller: tuple[ForeignClient, str], dialect: str, service_url: str, tmp_path: Path
) -> None:
    client, version = caller
    need(client)
    address = f"http://127.0.0.1:9/{uuid.uuid4()}"
    words = (address, INITIAL, RENEWED)

    reply = client.subscribe(service_url, dialect, version, *words, folder=tmp_path)

    services = service_url.rpartition("/")[0]
    assert reply["manager"].startswith(f"{services}/SubscriptionManagerService/")
    assert moment(reply["renewed"]) == moment(RENEWED)
    assert manage(reply["manager"], "PauseSubscription").fault[0] == "ResourceUnknownFault"
    if client.name == "zeep":
        # It was its own consumer, and decoded what it was told down to the entry's member.
        assert reply["topic"].endswith(":Entry")
        assert (reply["producer"], reply["member"]) == (service_url, address)


@real
@pytest.mark.parametrize("dialect", ["oasis", "gt4"])
@pytest.mark.parametrize("client", [one for one in EACH if one.id in ("zeep", "php")])
def test_a_foreign_producer_notifies_the_service(
    client: ForeignClient, dialect: Family, service_url: str
) -> None:
    """By the WSDL at the address to which it was told to send."""
    need(client)
    with notified.producer(family=dialect) as producer:
        config = notified.subscription_config(family=dialect)
        soap.add(service_url, producer.url, config, family=dialect)
        (consumer,) = producer.subscriptions.values()

        client.notify(consumer, dialect, "41")

        load = f".//{{{soap.AGG}}}AggregatorData/{{urn:t}}Load"
        until(
            lambda: soap.entries(service_url)[0].findtext(load) == "41",
            what="the value in the entry",
        )


@pytest.mark.timeout(180)
@real
@pytest.mark.client("gsoap")
@pytest.mark.parametrize("dialect", ["oasis", "gt4"])
def test_a_gsoap_consumer_takes_notifications(
    dialect: Family, service_url: str, tmp_path: Path
) -> None:
    missing = gsoap_consumer.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"gsoap: {missing}")
    if missing:
        pytest.skip(f"gsoap: {missing}")
    services = service_url.rpartition("/")[0]
    wsdl = f"{services}/NotificationConsumerService{QUERY[dialect]}"
    with gsoap_consumer.gsoap_consumer(wsdl, dialect, tmp_path) as consumer:
        subscribe(service_url, consumer.url, family=dialect)
        entries = [soap.add(service_url, f"http://m/{n}", family=dialect) for n in "ab"]
        soap.destroy(entries[0])
        told = consumer.told(3)

    assert {one["topic"].rpartition(":")[2] for one in told} == {"Entry"}
    assert {one["dialect"].rpartition("/")[2] for one in told} == {"Simple"}
    changes = [etree.fromstring(one["message"]) for one in told]
    assert {etree.QName(change).namespace for change in changes} == {NS[dialect]["rp"]}
    assert [change.findtext(".//{*}MemberServiceEPR/{*}Address") for change in changes] == [
        "http://m/a",
        "http://m/b",
        "http://m/a",
    ]
