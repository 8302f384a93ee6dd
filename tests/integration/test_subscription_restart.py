"""Members that are subscribed to, where the service is killed and starts again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import notified, soap
from tests.databases import DATABASES
from tests.migrated import with_tables
from tests.notified import subscription_config
from tests.service import running_service, start_service
from tests.waiting import until

from .test_subscription_source import CONFIG, texts


def is_taken(producer: notified.Producer, value: str) -> bool:
    """Whether a value was taken; what remains of a killed service may break connections."""
    try:
        return producer.notify(producer.change(value)).status == 202
    except ConnectionError:
        return False


@pytest.mark.parametrize("kind", DATABASES)
def test_it_is_found_again_after_a_restart_and_ended_by_a_later_collector(
    kind: str, tmp_path: Path
) -> None:
    with (
        notified.producer() as producer,
        with_tables(kind, tmp_path) as url,
    ):
        options = ["--database", url]
        running = start_service(tmp_path / "service", config=CONFIG, options=options)
        entry = soap.add(running.group, producer.url, subscription_config())
        port = int(running.url.rpartition(":")[2])
        running.kill()
        running = start_service(tmp_path / "service", config=CONFIG, options=options, port=port)
        try:
            until(lambda: is_taken(producer, "after"), what="it is taken")
            until(lambda: texts(running.group) == ["after"], what="it is heard as before")
            assert producer.calls.count("Subscribe") == 1
            # The entry goes while no collector runs: the web workers are all there is.
            assert soap.destroy(entry).status == 200
        finally:
            running.kill()
        with running_service(tmp_path / "service", config=CONFIG, options=options):
            until(lambda: not producer.subscriptions, what="the producer is told at last")


def texts_after_a_crash(group: str) -> list[str]:
    """The same, of a service that starts where workers of the one that was killed may just end."""
    try:
        return texts(group)
    except ConnectionError:
        return []


def test_what_waits_in_the_inbox_survives_a_crash(tmp_path: Path) -> None:
    with notified.producer() as producer, running_service(tmp_path, config=CONFIG) as running:
        soap.add(running.group, producer.url, subscription_config())
        for number in range(10):
            assert producer.notify(producer.change(str(number))).status == 202
        port = int(running.url.rpartition(":")[2])
        running.kill()
        again = start_service(tmp_path, config=CONFIG, port=port)
        try:
            until(
                lambda: texts_after_a_crash(again.group) == ["9"],
                what="what was acknowledged is there",
            )
        finally:
            again.stop()
