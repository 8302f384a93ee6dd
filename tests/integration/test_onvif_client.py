"""Clients of ONVIF at groups and entries: onvif-zeep, and answers by ONVIF's own schema."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import soap
from tests.onvif_schemas import events_schema
from tests.pulled import call_onvif, pull
from tests.service import MANY_GROUPS

from .notification_kit import group
from .pull_kit import service

CONFIG = f"[notifications]\npull_point_lifetime = 30\n{MANY_GROUPS}"
__all__ = ["group", "service"]

PULLER = Path(__file__).parent.parent / "clients" / "onvif" / "puller.py"


@pytest.mark.parametrize("of", ["group", "entry"])
def test_answers_are_valid_by_the_schema_of_onvif(group: str, of: str) -> None:
    producer = group if of == "group" else soap.add(group, "http://127.0.0.1:1/here").address
    made = call_onvif(producer, "CreatePullPointSubscription")
    manager = made.body.findtext("{*}SubscriptionReference/{*}Address")
    empty = pull(manager)
    soap.add(group, "http://127.0.0.1:1/one-more")
    filled = pull(manager, 5 if of == "group" else 0)
    told = [
        call_onvif(producer, f"Get{name}") for name in ("EventProperties", "ServiceCapabilities")
    ]
    for answer in (made, empty, filled, *told):
        assert answer.status == 200
        events_schema().assertValid(answer.body)


class TestOnvifZeep:
    """The client that its users have, with the WSDL that it brings along."""

    @pytest.fixture
    def client(self, group: str) -> Iterator[Any]:
        with self._running(group, "sg:Entry") as client:
            yield client

    @contextlib.contextmanager
    def _running(self, group: str, *more: str) -> Iterator[Any]:
        command = [sys.executable, str(PULLER), group, *more]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:

            def ask(text: str = "") -> Any:
                assert process.stdin
                assert process.stdout
                if text:
                    process.stdin.write(f"{text}\n")
                    process.stdin.flush()
                return json.loads(process.stdout.readline())

            yield ask
            assert process.stdin
            assert process.stdout
            process.stdin.close()
            assert json.loads(process.stdout.readline()) == {"renewed": pytest.approx(60, abs=1)}
            assert process.wait(10) == 0

    def test_it_is_told_what_there_is_and_what_comes(self, client: Any, group: str) -> None:
        made = client()
        assert "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet" in made["dialects"]
        assert "{http://docs.oasis-open.org/wsrf/sg-2}Entry" in made["topics"]
        assert made["pulls"]
        assert made["lasts"] == pytest.approx(30, abs=0.1)
        soap.add(group, "http://127.0.0.1:1/first")
        [message] = client("10")["messages"]
        assert "http://127.0.0.1:1/first" in message
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(client, "10")
            time.sleep(0.5)
            soap.add(group, "http://127.0.0.1:1/second")
            [message] = found.result()["messages"]
        assert "http://127.0.0.1:1/second" in message
        assert client("0.2")["messages"] == []
