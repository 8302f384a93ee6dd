"""The operations of the member: from a request that was read to the reply's bytes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aggregator.errors import (
    InvalidPropertyName,
    RequestError,
    UnknownOperation,
)
from aggregator.member.asked import MANAGER, MANAGER_READS, PRODUCER
from aggregator.member.evaluator import Evaluator
from aggregator.member.producing import Producer
from aggregator.member.requests import Query, Request, not_offered
from aggregator.member.resource import Cut, Resource, join_cuts
from aggregator.member.subscription_manager import SubscriptionManager
from aggregator.view.whole import is_whole_document
from aggregator.wire.dialects import GET_DOCUMENT, QUERY_PROPERTIES, Dialect, Operation
from aggregator.wire.envelope import reply_headers, write_envelope
from aggregator.wire.faults import write_fault
from aggregator.wire.namespaces import clark
from aggregator.wire.times import format_datetime

logger = logging.getLogger(__name__)

_MOST_PREPARED = 64
#: Larger results of expressions are not kept for the next who asks.
_KEPT_RESULT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """A SOAP reply: HTTP status, media type, the envelope."""

    status: int
    content_type: str
    body: bytes


class HostService:
    """Answers requests about one resource; replies are prepared until something changes."""

    def __init__(
        self,
        resource: Resource,
        *,
        evaluator: Evaluator,
        producer: Producer,
        manager: SubscriptionManager,
        now: Callable[[], int],
    ) -> None:
        self._resource = resource
        self._producer = producer
        self._manager = manager
        self._evaluator = evaluator
        self._now = now
        self._prepared: dict[tuple[object, ...], Cut] = {}
        self._found: dict[tuple[object, ...], asyncio.Task[bytes]] = {}
        self._version = -1

    def answer(self, request: Request, *, client: str) -> Reply | Coroutine[Any, Any, Reply]:
        """The reply at once; for an expression that must be evaluated, what brings it."""
        if request.error is not None:
            return self._fault(request, request.error)
        if request.query is not None and not is_whole_document(request.query.expression):
            return self._query(request, request.query, client)
        try:
            if request.operation in PRODUCER:
                return self._reply(request, self._produce(request))
            if request.operation in MANAGER:
                raise not_offered(_clark(request))
            cut = self._cut(request)
        except RequestError as error:
            return self._fault(request, error)
        return self._reply(request, format_datetime(self._now()).encode().join(cut))

    def _produce(self, request: Request) -> bytes:
        asked, dialect = request.asked, request.dialect
        if asked.subscribe is not None:
            return self._producer.subscribe(asked.subscribe, dialect=dialect)
        assert asked.topic is not None
        message = self._producer.current_message(asked.topic, dialect=dialect)
        head = f'<n:GetCurrentMessageResponse xmlns:n="{dialect.nt}">'.encode()
        return head + message + b"</n:GetCurrentMessageResponse>"

    def manage(self, request: Request, *, key: str) -> Reply:
        """The reply of the subscription manager about the subscription of a key."""
        operation = request.operation
        try:
            if request.error is not None:
                raise request.error
            asked, dialect = request.asked, request.dialect
            if operation in MANAGER_READS:
                body = self._manager.read(operation, request.names, key=key, dialect=dialect)
            elif operation in MANAGER:
                body = self._manager.answer(operation, asked, key=key, dialect=dialect)
            else:
                told = ", ".join(one.name for one in (*MANAGER, *MANAGER_READS))
                raise UnknownOperation(f"the subscription manager offers {told}")
        except RequestError as error:
            return self._fault(request, error)
        return self._reply(request, body)

    def _cut(self, request: Request) -> Cut:
        """The Body's child, prepared for all requests that ask the same."""
        self._forget_old()
        key = (request.operation, request.dialect.family, request.names)
        cut = self._prepared.get(key)
        if cut is None:
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.clear()
            cut = self._prepared[key] = self._prepare(request)
        return cut

    def _forget_old(self) -> None:
        if self._version != self._resource.version:
            self._version = self._resource.version
            self._prepared.clear()
            self._found.clear()

    def _prepare(self, request: Request) -> Cut:
        head, tail = _response(request)
        if request.operation in (GET_DOCUMENT, QUERY_PROPERTIES):
            return join_cuts((head,), self._resource.document(request.dialect), (tail,))
        values = []
        for name in request.names:
            value = self._resource.property(name)
            if value is None:
                known = ", ".join(self._resource.names(request.dialect))
                raise InvalidPropertyName(f"there is no property {name[:200]}; there are {known}")
            values.append(value)
        return join_cuts((head,), *values, (tail,))

    async def _query(self, request: Request, query: Query, client: str) -> Reply:
        head, tail = _response(request)
        try:
            found = await asyncio.shield(self._evaluation(query, request.dialect, client))
        except RequestError as error:
            return self._fault(request, error)
        except Exception as error:
            logger.exception("an evaluation failed")
            return self._fault(request, error)
        return self._reply(request, head + found + tail)

    def _evaluation(self, query: Query, dialect: Dialect, client: str) -> asyncio.Task[bytes]:
        """The evaluation of this second: a client that asks the same again waits for the same."""
        self._forget_old()
        key = (query, dialect.family, client, int(time.monotonic()))
        task = self._found.get(key)
        if task is None:
            if len(self._found) >= _MOST_PREPARED:
                self._found.clear()
            work = self._evaluator.query(
                query.expression,
                self._resource.elements(dialect, at=format_datetime(self._now())),
                namespaces=dict(query.namespaces),
                client=client,
            )
            task = self._found[key] = asyncio.create_task(work)
            task.add_done_callback(lambda done: self._look_at(done, key))
        return task

    def _look_at(self, task: asyncio.Task[bytes], key: tuple[object, ...]) -> None:
        """Keep small results alone; fetch the error for which nobody may wait any more."""
        if task.cancelled() or task.exception() or len(task.result()) > _KEPT_RESULT:
            self._found.pop(key, None)

    def _reply(self, request: Request, body: bytes) -> Reply:
        headers = b""
        if request.addressing.namespace and request.operation is not None:
            action = request.dialect.action(request.operation, reply=True)
            headers = reply_headers(request.addressing, action)
        envelope = write_envelope(request.version, body, headers=headers)
        return Reply(200, request.version.content_type, envelope)

    def _fault(self, request: Request, error: Exception) -> Reply:
        fault = write_fault(
            error,
            version=request.version,
            dialect=request.dialect,
            now=self._now(),
            operation=request.operation,
        )
        headers = reply_headers(request.addressing, fault.action)
        envelope = write_envelope(request.version, fault.body, headers=headers)
        return Reply(fault.status, request.version.content_type, envelope)


def _clark(request: Request) -> str:
    operation = request.operation or GET_DOCUMENT
    return clark(request.dialect.namespace(operation.spec), operation.name)


def _response(request: Request) -> tuple[bytes, bytes]:
    """The response element's tags; they declare no default namespace."""
    operation: Operation = request.operation or GET_DOCUMENT
    name = f"{operation.name}Response"
    return f'<rp:{name} xmlns:rp="{request.dialect.rp}">'.encode(), f"</rp:{name}>".encode()
