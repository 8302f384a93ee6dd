"""The short way of the hot operations through Spyne: to their functions, past its contexts.

A call through Spyne's WSGI application makes a dozen objects and fires ten events for nobody, which
takes twice as long as a read takes by itself. The operations of `HOT` are nearly all that a service
is asked; they are looked up once in Spyne's interface, as what they are declared there, and called
with what little of a context they use. The answer is made by the same functions on both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aggregator.server.answers import Answer, answer_with_fault, answer_with_reply
from aggregator.server.protocol import TARGET_NAMESPACE, WsrfFault
from aggregator.server.request import Reply, Request
from aggregator.server.service import Stepwise
from aggregator.store.writing import Writing

#: The operations that go this way.
HOT = (
    "Add",
    "GetResourceProperty",
    "QueryResourceProperties",
    "SetTerminationTime",
    "Notify",
    # No thread waits while these wait for messages.
    "PullMessages",
)


class ShortWay:
    """Calls the hot operations of a Spyne application."""

    def __init__(self, application: Any) -> None:
        declared = application.interface.service_method_map
        self._functions: Mapping[str, Callable[[Any, Request], Writing[Reply]]] = {
            name: declared[f"{{{TARGET_NAMESPACE}}}{name}"][0].function for name in HOT
        }
        self._context = Stepwise(application)

    def takes(self, request: Request) -> bool:
        """Whether a request can go this way."""
        return request.operation.name in self._functions

    def steps(self, request: Request) -> Writing[Answer]:
        """The steps to the answer of a hot operation."""
        try:
            reply = yield from self._functions[request.operation.name](self._context, request)
        except WsrfFault as error:
            return answer_with_fault(request, error.ready)
        return answer_with_reply(request, reply)
