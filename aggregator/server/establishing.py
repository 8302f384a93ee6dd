"""What sources set up elsewhere inside of an Add, in a thread of its own with a loop of its own.

No thread that answers requests waits for a producer: the Add is left until the producer has
answered, or has taken too long.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from aggregator.collect.consumers import StoreConsumers
from aggregator.collect.context import EntryContext, Offered
from aggregator.collect.http import HttpClient
from aggregator.collect.logins import logins_of
from aggregator.config import Settings
from aggregator.contract import Events, SourceType
from aggregator.errors import AggregatorException, CollectError, StoreUnavailable
from aggregator.model import Registration
from aggregator.store.collection import Assignment
from aggregator.store.consumers import mark_of
from aggregator.store.engine import Store
from aggregator.store.write import Write

log = logging.getLogger(__name__)

#: Establishments of one web worker at a time; more wait for their turn.
_MOST = 64
#: Seconds beyond its own time after which an establishment is taken for lost.
_MARGIN = 2.0


class _Establishment:
    """One source at work for one Add."""

    def __init__(
        self, loop: EstablishingLoop, source: SourceType, context: EntryContext, tokens: list[str]
    ) -> None:
        self._loop = loop
        self._source = source
        self._context = context
        self.tokens: Sequence[str] = tokens
        self.future: Future[Mapping[str, str]] = loop.run(self._establish())

    def undo(self) -> None:
        """Undo what was set up, once it is; nobody waits for that."""
        self._loop.run(self._undo())

    async def _establish(self) -> Mapping[str, str]:
        plan = self._context.assignment.plan
        try:
            async with asyncio.timeout(self._loop.timeout), self._loop.places:
                found = await self._source.source.establish(plan, context=self._context)
        except TimeoutError as error:
            await self._undo()
            raise CollectError(
                f"the producer did not answer within {self._loop.timeout:g} s", code="timeout"
            ) from error
        except AggregatorException:
            await self._close_all()
            raise
        except Exception as error:
            log.exception("%s failed, which is a bug of it", self._source.name)
            await self._close_all()
            raise CollectError("the source failed; the service's log tells more") from error
        self._context.memory.update(found)
        return found

    async def _undo(self) -> None:
        try:
            async with asyncio.timeout(self._loop.timeout):
                plan = self._context.assignment.plan
                await self._source.source.release(plan, context=self._context)
        except Exception as error:
            words = self._context.words()
            log.warning("%s could not release: %s", self._source.name, error, extra=words)
        await self._close_all()

    async def _close_all(self) -> None:
        try:
            for token in list(self.tokens):
                await self._context.consumers.close(mark_of(token))
        except StoreUnavailable as error:
            log.info("addresses for notifications close by themselves later: %s", error)


class EstablishingLoop:
    """`aggregator.registry.establish.Establishing` of a web worker; its thread starts when needed.

    `timeout` is what one establishment may take, in seconds.
    """

    def __init__(self, settings: Settings, store: Store, *, public_url: str) -> None:
        self.timeout = settings.notifications.establish_timeout
        self.patience = 2 * self.timeout + _MARGIN
        self._settings = settings
        self._store = store
        self._public_url = public_url
        self._logins = logins_of(settings.collect.logins)
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.places: asyncio.Semaphore
        self._http: HttpClient
        self._events: Events

    def start(
        self, source: SourceType, registration: Registration, *, group_id: int
    ) -> _Establishment:
        """Begin to set up what a registration's source needs."""
        self._ensure_loop()
        assignment = _assignment(registration, group_id=group_id)
        consumers = StoreConsumers(
            self._write,
            self._public_url,
            group_id,
            None,
            takes_reports=bool(self._settings.reports.tokens),
        )
        offered = Offered(
            self._http,
            _no_probe,
            self._store.clock.now,
            consumers=lambda _: consumers,
            subscription_lifetime=self._settings.notifications.subscription_lifetime,
            events=self._events,
            logins=self._logins,
        )
        context = EntryContext(assignment, offered=offered)
        return _Establishment(self, source, context, consumers.tokens)

    def run(self, work: Any) -> Future[Any]:
        """Run a coroutine in the loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _ensure_loop(self) -> None:
        with self._starting:
            if self._loop is not None:
                return
            started: Future[asyncio.AbstractEventLoop] = Future()
            threading.Thread(
                target=self._run, args=(started,), name="establishing", daemon=True
            ).start()
            self._loop = started.result()

    def _run(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        try:
            asyncio.run(self._serve(started))
        except BaseException as error:
            # Who waits for the start is told why there is none; the next Add tries again.
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        self.places = asyncio.Semaphore(_MOST)
        self._http = HttpClient(self._settings.collect)
        # What registers no events never loads what they need.
        from aggregator.bus.collecting import BusEvents  # noqa: PLC0415

        self._events = BusEvents(self._settings, self._store)
        started.set_result(asyncio.get_running_loop())
        await asyncio.Event().wait()

    async def _write(self, unit: Callable[[Write], Any]) -> Any:
        job = asyncio.wrap_future(self._store.writer.submit(unit))
        try:
            async with asyncio.timeout(self._store.writer.patience):
                return await job
        except TimeoutError as error:
            raise StoreUnavailable("the store did not take the write in time") from error


async def _no_probe(*args: Any, **options: Any) -> bytes:
    raise CollectError("executables run in the collector alone", code="no-probe")


def _assignment(registration: Registration, *, group_id: int) -> Assignment:
    """What a source may know of an entry that is not there yet."""
    assert registration.plan is not None
    return Assignment(
        id=0,
        group=registration.group,
        group_id=group_id,
        key="",
        member=registration.member,
        address=registration.address,
        config=registration.config,
        plan=registration.plan,
        sink_plans={},
        memory={},
        shard=0,
        termination=registration.termination,
        due=None,
        last_attempt=None,
        last_success=None,
        consecutive_failures=0,
        version=0,
    )
