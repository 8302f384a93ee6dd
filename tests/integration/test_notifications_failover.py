"""Two services on one database: what one was to tell or to receive, the other does when it dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import notified, soap
from tests.databases import database
from tests.notified import subscribe, subscription_config
from tests.waiting import until

from .notification_kit import told
from .pair_of_services import Pair, pair

pytestmark = [pytest.mark.postgresql, pytest.mark.long]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Pair]:
    with database("postgresql", tmp_path) as url, pair(tmp_path, url) as made:
        yield made


def test_subscribers_are_told_in_order_whoever_collects(services: Pair) -> None:
    with notified.consumer() as consumer:
        subscribe(services.group(0, "second"), consumer.url)
        added = []
        for turn, dies in enumerate(("first", "second", "first")):
            for number in range(10):
                alive = "second" if dies == "first" else "first"
                address = f"http://m/{turn}/{number}"
                soap.add(services.group(0, alive), address)
                added.append(address)
                if number == 5:
                    services.running[dies].kill()
            services.start(dies)
        until(lambda: len(set(consumer.ids())) >= len(added), what="all are told")
        by_id = dict(zip(consumer.ids(), map(told, consumer.messages()), strict=True))
        assert list(by_id.values()) == added


def test_what_came_to_one_is_published_by_the_other(services: Pair) -> None:
    with notified.producer() as producer:
        entry = soap.add(services.group(1, "first"), producer.url, subscription_config())
        for number in range(5):
            # Notified is the first, and it dies at once; who collects by then takes it up.
            assert producer.notify(producer.change(f"{number}")).status == 202
            services.running["first"].kill()
            seen = services.seen_by("second", entry)
            until(
                lambda seen=seen, number=number: (
                    soap.get_property(seen.address, "sg:Content").body.findtext(".//{urn:t}Load")
                    == f"{number}"
                ),
                what="it is published",
            )
            services.start("first")
        assert producer.calls.count("Subscribe") == 1
