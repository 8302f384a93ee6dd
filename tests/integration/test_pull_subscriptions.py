"""Subscriptions by pulling, as ONVIF has them: waiting, staying alive, and who is given what."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import pulled, soap
from tests.notified import NT, manage, subscribe
from tests.pulled import call_onvif, pull, subscription
from tests.service import MANY_GROUPS, RunningService, running_service
from tests.waiting import until

from .each_database import service
from .notification_kit import document, group, renewed, told

CONFIG_OF_WAITS = "[notifications]\nmax_pull_wait = 20\npull_point_lifetime = 30\n"
CONFIG = f"[server]\nworkers = 2\nthreads = 2\n{CONFIG_OF_WAITS}{MANY_GROUPS}"
__all__ = ["group", "service"]

PULLER = Path(__file__).parent.parent / "clients" / "onvif" / "puller.py"


def members(answer: soap.Answer) -> list[str]:
    """Of which members the messages of an answer tell that are about entries."""
    return [told(one) for one in pulled.pulled(answer) if one.find("{*}*/{*}Entry") is not None]


def seconds_left(answer: soap.Answer) -> float:
    """From the CurrentTime of an answer to its TerminationTime, which must be in UTC."""
    names = ("CurrentTime", "TerminationTime")
    times = [answer.body.findtext(f"{{*}}{name}") for name in names]
    now, end = map(_seconds, times)
    return end - now


def _seconds(text: str) -> float:
    assert text.endswith("Z")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


@contextlib.contextmanager
def waiting(manager: str, seconds: float) -> Iterator[http.client.HTTPConnection]:
    """A connection on which a PullMessages was sent that is not answered yet."""
    parts = urlsplit(manager)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    asked = (
        f'<e:PullMessages xmlns:e="{pulled.TEV}"><e:Timeout>PT{seconds}S</e:Timeout>'
        "<e:MessageLimit>100</e:MessageLimit></e:PullMessages>"
    )
    try:
        connection.request(
            "POST", parts.path, soap.envelope(asked), {"Content-Type": "text/xml; charset=utf-8"}
        )
        yield connection
    finally:
        connection.close()


def answered(connection: http.client.HTTPConnection) -> soap.Answer:
    reply = connection.getresponse()
    return soap.Answer(reply.status, dict(reply.getheaders()), reply.read())


class TestPull:
    def test_it_is_answered_once_there_is_something(self, group: str) -> None:
        manager = subscription(group)
        with waiting(manager, 15) as connection:
            time.sleep(0.5)
            soap.add(group, "http://127.0.0.1:1/here")
            began = time.monotonic()
            assert members(answered(connection))[:1] == ["http://127.0.0.1:1/here"]
            assert time.monotonic() - began < 5

    def test_it_is_answered_when_the_time_is_up(self, group: str) -> None:
        manager = subscription(group)
        began = time.monotonic()
        answer = pull(manager, 1.5)
        assert members(answer) == []
        assert 1.4 < time.monotonic() - began < 6

    def test_a_filter_is_heeded(self, group: str) -> None:
        nt = NT["oasis"]
        onvif = "http://www.onvif.org/ver10/tev"
        asked = (
            f'<n:TopicExpression Dialect="{onvif}/topicExpression/ConcreteSet">sg:Entry|sg:Other'
            "</n:TopicExpression>"
            f'<n:MessageContent Dialect="{onvif}/messageContentFilter/ItemFilter">'
            "boolean(//sg:MemberServiceEPR[contains(., 'wanted')])</n:MessageContent>"
        )
        manager = subscription(group, f'<e:Filter xmlns:n="{nt}">{asked}</e:Filter>')
        soap.add(group, "http://127.0.0.1:1/other")
        soap.add(group, "http://127.0.0.1:1/wanted")
        assert members(pull(manager, 10)) == ["http://127.0.0.1:1/wanted"]

    def test_what_is_asked_beyond_what_is_given_is_cut(self, group: str) -> None:
        manager = subscription(group)
        soap.add(group, "http://127.0.0.1:1/here")
        asked = "<e:Timeout>P1Y</e:Timeout><e:MessageLimit>999999999</e:MessageLimit>"
        assert members(call_onvif(manager, "PullMessages", asked))

    @pytest.mark.parametrize(
        "asked",
        [
            "",
            "<e:Timeout>PT1S</e:Timeout>",
            "<e:Timeout>1</e:Timeout><e:MessageLimit>1</e:MessageLimit>",
            "<e:Timeout>PT1S</e:Timeout><e:MessageLimit>0</e:MessageLimit>",
        ],
    )
    def test_what_can_not_be_read_is_refused(self, group: str, asked: str) -> None:
        manager = subscription(group)
        answer = call_onvif(manager, "PullMessages", asked)
        assert answer.fault[0] == "UnableToGetMessagesFault"

    def test_who_is_notified_has_nothing_to_pull(self, group: str) -> None:
        answer = pull(subscribe(group, "http://127.0.0.1:1/consumer"))
        assert answer.fault[0] == "ResourceUnknownFault"
        assert "has no pull point" in answer.fault[1]

    def test_who_asks_again_is_the_one_who_is_told(self, group: str) -> None:
        """A client that starts anew may leave a connection behind that nobody reads."""
        manager = subscription(group)
        with waiting(manager, 15) as old:
            time.sleep(0.5)
            with waiting(manager, 15) as new:
                # The other one is let go at once.
                assert members(answered(old)) == []
                soap.add(group, "http://127.0.0.1:1/here")
                assert members(answered(new))[:1] == ["http://127.0.0.1:1/here"]

    def test_who_waits_for_what_ends_is_told(self, group: str) -> None:
        manager = subscription(group)
        with waiting(manager, 15) as connection:
            time.sleep(0.5)
            began = time.monotonic()
            assert manage(manager, "Unsubscribe").status == 200
            assert answered(connection).fault[0] == "ResourceUnknownFault"
            assert time.monotonic() - began < 5

    def test_who_has_left_is_given_nothing(self, group: str) -> None:
        manager = subscription(group)
        with waiting(manager, 15) as connection:
            time.sleep(0.5)
            assert connection.sock is not None
            connection.sock.shutdown(socket.SHUT_RDWR)
        soap.add(group, "http://127.0.0.1:1/here")
        time.sleep(1)
        assert members(pull(manager, 10))[:1] == ["http://127.0.0.1:1/here"]

    def test_who_waits_keeps_no_other_waiting(self, service: RunningService, group: str) -> None:
        """Two workers of two threads each are asked by a hundred at a time."""
        managers = [subscription(group) for _ in range(100)]
        with contextlib.ExitStack() as all_of_them:
            connections = [all_of_them.enter_context(waiting(one, 18)) for one in managers]
            time.sleep(1)
            began = time.monotonic()
            for _ in range(20):
                assert soap.entries(group) == []
            assert time.monotonic() - began < 5
            soap.add(group, "http://127.0.0.1:1/here")
            with ThreadPoolExecutor(20) as pool:
                found = list(pool.map(lambda one: members(answered(one)), connections))
        assert all(one[:1] == ["http://127.0.0.1:1/here"] for one in found)
        for manager in managers:
            manage(manager, "Unsubscribe")


class TestLife:
    def test_it_lasts_as_long_as_is_asked_for(self, group: str) -> None:
        asked = "<e:InitialTerminationTime>PT300S</e:InitialTerminationTime>"
        answer = call_onvif(group, "CreatePullPointSubscription", asked)
        assert seconds_left(answer) == pytest.approx(300, abs=0.01)

    @pytest.mark.parametrize(
        "asked",
        [
            "",
            '<e:InitialTerminationTime xmlns:x="http://www.w3.org/2001/XMLSchema-instance" '
            'x:nil="true"/>',
        ],
    )
    def test_without_a_time_it_lasts_as_long_as_is_configured(self, group: str, asked: str) -> None:
        answer = call_onvif(group, "CreatePullPointSubscription", asked)
        assert seconds_left(answer) == pytest.approx(30, abs=0.01)

    def test_who_does_not_come_loses_it(self, group: str) -> None:
        manager = subscription(group, "<e:InitialTerminationTime>PT2S</e:InitialTerminationTime>")
        soap.add(group, "http://127.0.0.1:1/here")
        time.sleep(2.5)
        assert pull(manager).fault[0] == "ResourceUnknownFault"

    def test_who_comes_keeps_it(self, group: str) -> None:
        manager = subscription(group, "<e:InitialTerminationTime>PT3S</e:InitialTerminationTime>")
        for _ in range(5):
            answer = pull(manager, 1)
            assert seconds_left(answer) > 1.2
        soap.add(group, "http://127.0.0.1:1/here")
        assert members(pull(manager, 5))

    def test_it_is_there_for_as_long_as_somebody_waits(self, group: str) -> None:
        manager = subscription(group, "<e:InitialTerminationTime>PT2S</e:InitialTerminationTime>")
        assert members(pull(manager, 4)) == []
        assert pull(manager).status == 200

    def test_renew_and_unsubscribe(self, group: str) -> None:
        manager = subscription(group)
        inner = "<o:TerminationTime>PT120S</o:TerminationTime>"
        assert manage(manager, "Renew", inner=inner).status == 200
        assert seconds_left(pull(manager)) == pytest.approx(120, abs=5)
        known = document(manager)
        assert b"/anonymous<" in known.content
        assert manage(manager, "Unsubscribe").status == 200
        assert pull(manager).fault[0] == "ResourceUnknownFault"

    def test_an_entry_can_be_subscribed_to(self, group: str) -> None:
        entry = soap.add(group, "http://127.0.0.1:1/here")
        manager = subscription(entry.address)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
        soap.set_termination_time(entry, at)
        [message] = pulled.pulled(pull(manager, 10))
        assert message.find("{*}NewValues")[0].text[:16] == at[:16]
        renewed(entry)
        soap.destroy(entry)
        # There is time to come for its last words.
        time.sleep(1.5)
        found: list[str] = []
        while len(found) < 2:
            found += [one.tag.rpartition("}")[2] for one in pulled.pulled(pull(manager, 10))]
        assert found == ["ResourcePropertyValueChangeNotification", "TerminationNotification"]


def test_who_waits_leaves_room_for_others(tmp_path: Path) -> None:
    config = f"[server]\nworkers = 1\nconnections = 40\n{CONFIG_OF_WAITS}"
    with running_service(tmp_path, config=config) as service, contextlib.ExitStack() as all_of_them:
        managers = [subscription(service.group) for _ in range(30)]
        connections = [all_of_them.enter_context(waiting(one, 15)) for one in managers]

        def answered_at_once() -> list[http.client.HTTPConnection]:
            """The connections that have an answer: theirs were read when enough waited."""
            sockets = {one.sock: one for one in connections}
            return [sockets[ready] for ready in select.select([*sockets], [], [], 0)[0]]

        until(lambda: len(answered_at_once()) == 10, within=10, what="the rest are answered")
        for _ in range(5):
            with urllib.request.urlopen(f"{service.url}/healthz", timeout=5) as answer:
                assert answer.status == 200
        at_once = answered_at_once()
        assert len(at_once) == 10
        assert all(members(answered(one)) == [] for one in at_once)


def test_a_service_that_ends_lets_go_of_who_waits(tmp_path: Path) -> None:
    with (
        running_service(tmp_path) as service,
        waiting(subscription(service.group), 20) as connection,
        ThreadPoolExecutor(1) as pool,
    ):
        time.sleep(0.5)
        began = time.monotonic()
        stopped = pool.submit(service.stop)
        assert members(answered(connection)) == []
        assert time.monotonic() - began < 5
        stopped.result()
