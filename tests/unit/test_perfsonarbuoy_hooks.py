"""The hooks of perfSONAR's module: a test for each, named after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from aggregator.errors import NmwgError
from aggregator.measurement import perfSONARBUOY
from aggregator.measurement.chains import Chains
from aggregator.measurement.handling import Event
from aggregator.measurement.output import Output
from tests.measured import (
    Measured,
    archive_of,
    data,
    endpoint,
    message,
    metadata,
    minutes,
    pair,
    parameter,
    samples,
)
from tests.unit.buoy_kit import (
    IPERF,
    asked_for,
    read,
    told,
)


@pytest.fixture
def measured() -> Measured:
    return Measured({201: minutes(3), 203: minutes(1)}, {401: samples(2)})


@pytest.fixture
def archive(measured: Measured, tmp_path: Path) -> perfSONARBUOY:
    return archive_of(measured, tmp_path)


class Hooked(perfSONARBUOY):
    """Notes its hooks."""

    def handleMessageBegin(self, *args: Any, **given: Any) -> None:
        assert super().handleMessageBegin(*args, **given) is None  # type: ignore[func-returns-value]
        NOTED.append(("begin", given))

    def handleMessageEnd(self, *args: Any, **given: Any) -> None:
        assert super().handleMessageEnd(*args, **given) is None  # type: ignore[func-returns-value]
        NOTED.append(("end", given))

    def handleEvent(self, *args: Any, **given: Any) -> None:
        NOTED.append(("event", given))
        super().handleEvent(*args, **given)


NOTED: list[tuple[str, dict[str, Any]]] = []


@pytest.fixture
def noted(archive: perfSONARBUOY) -> list[tuple[str, dict[str, Any]]]:
    """The hooks that were called while two pairs were answered."""
    NOTED.clear()
    hooked = Hooked(archive.store, archive.origins)
    block = f"<nmwg:parameters>{parameter('timeType', 'unix')}</nmwg:parameters>"
    gone = metadata("m2", subject=pair("192.0.2.99"))
    body = message(block + asked_for() + gone + data("m2", id="d0") + data(id="d1"))
    endpoint(hooked).answer(body)
    return NOTED


def test_handleMessageBegin(noted: list[tuple[str, dict[str, Any]]]) -> None:
    name, given = noted[0]
    assert name == "begin"
    assert {*given} == {
        *("ret_message", "messageId", "messageType", "msgParams", "request"),
        *("retMessageType", "retMessageNamespaces"),
    }
    assert given["messageType"] == "SetupDataRequest"
    assert given["retMessageType"] == "SetupDataResponse"
    assert given["msgParams"] == {"timeType": "unix"}


def test_handleMessageEnd(noted: list[tuple[str, dict[str, Any]]]) -> None:
    assert [name for name, _ in noted] == ["begin", "event", "event", "end"]
    assert {*noted[-1][1]} == {"ret_message", "messageId"}


def first_event(type: str) -> Event:
    asked = read(asked_for() + data(), type=type)
    first = asked.triggers[0]
    return Event(Output(), asked, IPERF, Chains(asked).of(first), first)


def test_handleEvent(
    noted: list[tuple[str, dict[str, Any]]], archive: perfSONARBUOY, measured: Measured
) -> None:
    given = noted[2][1]
    assert {*given} == {
        *("output", "messageId", "messageType", "messageParameters", "eventType", "subject"),
        *("filterChain", "data", "rawRequest", "doOutputMetadata"),
    }
    assert given["eventType"] == IPERF
    assert given["data"].get("id") == "d1"
    for type, expected in (("MetadataKeyRequest", "key"), ("SetupDataRequest", "datum")):
        asked = read(asked_for() + data(), type=type)
        event = Event(
            Output(), asked, IPERF, Chains(asked).of(asked.triggers[0]), asked.triggers[0]
        )
        archive.handle(event)
        assert not event.is_echoed
        assert expected in etree.tostring(told(event.output)).decode()
    event = first_event("OtherRequest")
    with pytest.raises(NmwgError, match=r"^Invalid Message Type$") as error:
        archive.handle(event)
    assert error.value.event_type == "error.ma.message_type"
