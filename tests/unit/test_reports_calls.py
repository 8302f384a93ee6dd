"""Which method takes what, what is sent of what it returns, and events as clients read them."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest

from aggregator.client.event_stream import events_of
from aggregator.errors import AggregatorFailed
from aggregator.reports import Aggregator, messages
from aggregator.reports.calls import (
    Message,
    MissingArgument,
    process_report,
    process_request,
    report_types,
    request_message,
    request_types,
    said,
    update,
)
from aggregator.server.reports.updates import ready
from aggregator.store.report_updates import Update


class Hooked(Aggregator):
    reporttype = "General"
    requesttypes = "One"  # type: ignore[assignment]

    def __init__(self) -> None:
        self.called: list[str] = []

    def processReport(self, msg: Any) -> None:
        self.called.append(f"general {msg.type}")

    def process_REPORT_Special(self, msg: Any) -> None:
        self.called.append(f"special {msg.data!r}")

    def process_GET_Two(self, msg: Any) -> Any:
        return msg.name

    def processREQUEST(self, msg: Any) -> Any:
        return {"type": msg.type}

    def doUpdates(self, now: float) -> None:
        self.called.append(f"updates {now}")

    def getUpdateMessage(self) -> Any:
        return "update"


def test_types_are_those_of_attributes_and_hooks() -> None:
    assert report_types(Hooked) == ["General", "Special"]
    assert request_types(Hooked) == ["One", "Two"]
    assert report_types(Aggregator) == request_types(Aggregator) == []


def test_a_hook_of_the_type_comes_before_the_general_method() -> None:
    hooked = Hooked()
    for type in ("General", "Special"):
        process_report(hooked, Message({"type": type, "data": b"x"}))
    assert hooked.called == ["general General", "special b'x'"]
    assert process_request(hooked, request_message("Two", {"name": "n"})) == ("text", b"n")
    assert process_request(hooked, request_message("One", {})) == ("json", b'{"type": "One"}')
    assert update(hooked, 5.0) == ("text", b"update")
    assert hooked.called[-1] == "updates 5.0"


def test_arguments_are_attributes_and_take_no_place() -> None:
    message = request_message("One", {"type": "Other", "self": "s", "__class__": "c"})
    assert (message.type, message.self) == ("One", "s")
    assert type(message) is Message
    with pytest.raises(MissingArgument, match="filename"):
        _ = message.filename
    assert not hasattr(message, "filename")
    assert "type='One'" in repr(message)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (b"", ("bytes", b"")),
        (bytearray(b"x"), ("bytes", b"x")),
        ("é", ("text", "é".encode())),
        ([1, {"a": None}], ("json", b'[1, {"a": null}]')),
        (False, ("json", b"false")),
        (messages.Files(), ("bytes", b"")),
    ],
)
def test_what_is_sent_of_a_value(value: Any, wanted: Any) -> None:
    assert said(value) == wanted


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, {b"k": 1}])
def test_what_can_not_be_sent_is_told(value: Any) -> None:
    with pytest.raises(AggregatorFailed, match="which can't be sent"):
        said(value)


def test_without_protobuf_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    monkeypatch.delitem(sys.modules, "aggregator.reports.messages")
    with pytest.raises(ModuleNotFoundError, match=r"install mds-aggregator\[reports\]"):
        importlib.import_module("aggregator.reports.messages")


@pytest.mark.parametrize("piece", [1, 3, 7, 10_000])
def test_updates_are_read_as_they_were_written(piece: int) -> None:
    updates = [
        Update(7, 1_700_000_000_000_000, "A", "List", "bytes", b"\0\xff"),
        Update(8, 1_700_000_000_000_000, "A", "Bad\nname: x", "text", "line\nbreak é".encode()),
        Update(9, 1_700_000_000_000_000, "A", "Json", "json", b'{"a": [1]}'),
    ]
    text = b"retry: 1000\n: hello\n\n" + b": \n\n".join(ready(one).event for one in updates)
    pieces = (text[at : at + piece] for at in range(0, len(text), piece))
    found = list(events_of(pieces, limit=10_000))
    assert [(one.id, one.name) for one in found] == [
        ("7", "List"),
        ("8", "Bad_name:_x"),
        ("9", "Json"),
    ]
    assert '"encoding": "base64", "data": "AP8="' in found[0].data
    assert '"data": "line\\nbreak \\u00e9"' in found[1].data
    assert '"encoding": "json", "data": {"a": [1]}' in found[2].data


def test_a_stream_of_others_is_read_too_within_a_limit() -> None:
    text = b"data: a\r\ndata:b\r\n\r\nid: 3\n\nevent: x\ndata\n\n"
    ids: list[str] = []
    assert [tuple(one) for one in events_of([text], limit=100, on_id=ids.append)] == [
        ("", "message", "a\nb"),
        ("3", "x", ""),
    ]
    # Also that of a block without data.
    assert ids == ["3", "3"]
    with pytest.raises(ValueError, match="more than 100 bytes"):
        list(events_of([b"data: " + b"x" * 60, b"x" * 60], limit=100))
    with pytest.raises(ValueError, match="more than 100 bytes"):
        list(events_of([b"data: x\n" * 20], limit=100))
