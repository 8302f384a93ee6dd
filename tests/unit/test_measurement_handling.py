"""Several services on one endpoint: who handles which message, by type and event type."""

from __future__ import annotations

from aggregator.errors import NmwgError
from aggregator.measurement.answering import Endpoint
from aggregator.measurement.handling import Event, RequestHandler
from aggregator.measurement.message import Message
from aggregator.measurement.output import Output
from aggregator.wire.parse import Limits
from tests.measured import data, message, metadata, parameter, reply, results

A, B = "http://ggf.org/a", "http://ggf.org/b"


class Named:
    """A service that says who it is, and notes its hooks."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self.fails = name, fails
        self.hooks: list[str] = []

    def begin(self, message: Message, output: Output) -> None:
        self.hooks.append("begin")

    def end(self, message: Message, output: Output) -> None:
        self.hooks.append("end")

    def handle(self, event: Event) -> None:
        self.hooks.append(event.event_type)
        event.is_echoed = False
        if self.fails:
            raise NmwgError("error.of.ours", self.name)
        event.output.result(f"handled.{self.name}", event.event_type, event.trigger.metadata_ref)


def ask(handler: RequestHandler, inner: str, *, type: str = "ARequest") -> list[tuple[str, str]]:
    endpoint = Endpoint(handler, Limits(), 10, 2**20)
    return results(reply(endpoint.answer(message(inner, type=type))))


def key(*types: str) -> str:
    told = "".join(parameter("eventType", one) for one in types)
    return f'<nmwg:key><nmwg:parameters id="k">{told}</nmwg:parameters></nmwg:key>'


def test_the_exact_pair_then_an_expression_then_the_type() -> None:
    handler = RequestHandler()
    assert handler.register_message("ARequest", Named("message"))
    assert handler.register_pattern("ARequest", "http://ggf.org/[bc]", Named("pattern"))
    assert handler.register_event("ARequest", B, Named("event"))
    for type, who in ((B, "event"), ("http://ggf.org/c", "pattern"), (A, "message")):
        assert ask(handler, metadata(types=[type]) + data()) == [(f"handled.{who}", type)]
    assert ask(handler, metadata() + data()) == [("handled.message", "")]


def test_a_second_handler_is_not_taken() -> None:
    handler, first, second = RequestHandler(), Named("first"), Named("second")
    assert handler.register_message("ARequest", first)
    assert not handler.register_message("ARequest", second)
    assert handler.register_message("ARequest", first)
    assert handler.register_event("ARequest", A, first)
    assert not handler.register_event("ARequest", A, second)
    assert handler.register_pattern("ARequest", "x", first)
    assert not handler.register_pattern("ARequest", "x", second)
    assert ask(handler, metadata() + data()) == [("handled.first", "")]


def test_the_keys_event_type_is_looked_at_first() -> None:
    handler = RequestHandler()
    handler.register_event("ARequest", A, Named("a"))
    handler.register_event("ARequest", B, Named("b"))
    assert ask(handler, metadata(types=[A], inner=key(B)) + data()) == [("handled.b", B)]
    assert ask(handler, metadata(types=[A], inner=key("http://x")) + data()) == [
        (
            "error.common.event_type_not_supported",
            'Event type http://x not supported for message of type "ARequest"',
        )
    ]


def test_event_types_that_nobody_handles() -> None:
    handler = RequestHandler()
    handler.register_event("ARequest", A, Named("a"))
    assert ask(handler, metadata(types=[B]) + data()) == [
        (
            "error.common.event_type_not_supported",
            'No supported event types for message of type "ARequest"',
        )
    ]
    assert ask(handler, metadata(types=[B, A]) + data()) == [("handled.a", A)]
    assert ask(handler, metadata() + data()) == [
        (
            "error.common.event_type_not_supported",
            'Event type "" is not yet supported for messages with type "ARequest"',
        )
    ]


def test_the_hooks_of_all_services_of_a_type_are_called_around_it() -> None:
    handler, one, other = RequestHandler(), Named("one"), Named("other", fails=True)
    away = Named("away")
    handler.register_event("ARequest", A, one)
    handler.register_event("ARequest", B, other)
    handler.register_message("BRequest", away)
    inner = metadata("m1", types=[A]) + metadata("m2", types=[B])
    found = ask(handler, inner + data("m2", id="d2") + data("m1"))
    assert found == [("error.of.ours", "other"), ("handled.one", A)]
    assert one.hooks == ["begin", A, "end"]
    assert other.hooks == ["begin", B, "end"]
    assert away.hooks == []


def test_the_type_of_the_reply() -> None:
    handler = RequestHandler()
    for type in ("ARequest", "Measure"):
        handler.register_message(type, Named("x"))
    endpoint = Endpoint(handler, Limits(), 10, 2**20)
    for type, expected in (("ARequest", "AResponse"), ("Measure", "MeasureResponse")):
        found = reply(endpoint.answer(message(metadata() + data(), type=type)))
        assert found.get("type") == expected
