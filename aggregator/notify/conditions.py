"""What a subscriber asks of the producer: expressions on the property document of group or entry.

The query evaluator answers them, as it does for who reads; an expression is asked once for each
page of changes, on the document as it is after them.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

from aggregator.errors import QueryFailed, RequestError, StoreUnavailable
from aggregator.notify.subscription import Subscriber
from aggregator.threads import in_daemon
from aggregator.view.query_client import QueryClient, QueryRequest

#: Evaluations at the same time: the evaluator has others to answer too.
_AT_ONCE = 2
#: Limits that tell of the evaluator's load, and nothing of the expression.
_TRANSIENT = ("turn", "waiting")

logger = logging.getLogger(__name__)


class Conditions:
    """Asks the evaluator at `socket`, whose evaluations take `timeout` seconds at most."""

    def __init__(self, socket: Path, *, timeout: float) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._client = QueryClient(socket, timeout=timeout)

    async def hold(self, subscriber: Subscriber, *, sequence: int) -> bool:
        """Whether all that a subscriber asks of the producer holds once a sequence is known.

        Raises StoreUnavailable where nobody can tell.
        """
        stored = subscriber.stored
        for condition in subscriber.properties:
            request = QueryRequest(
                group=subscriber.group,
                entry_key=stored.entry_key or None,
                family=subscriber.dialect.family,
                expression=f"boolean({condition.expression})",
                namespaces=condition.scope,
                sequence=sequence,
                caller=f"subscription:{stored.key}",
            )
            try:
                async with self._places:
                    found = await in_daemon(partial(self._client.query, request))
            except RequestError as error:
                if isinstance(error, QueryFailed) and error.limit in _TRANSIENT:
                    raise StoreUnavailable(str(error)) from error
                logger.warning(
                    "notifications are left out: %s", error, extra={"subscription": stored.key}
                )
                return False
            if b"".join(found.chunks) != b"true":
                return False
        return True
