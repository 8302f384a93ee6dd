"""The loop of the query evaluator: one thread, trees of groups, a child for every expression."""

from __future__ import annotations

import logging
import os
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial

from aggregator.config.storage import QuerySettings
from aggregator.errors import AggregatorException, QueryFailed, ResourceUnknown
from aggregator.view.asking import Asking, Gone
from aggregator.view.evaluation import ANSWERING, start
from aggregator.view.group_documents import GroupDocuments
from aggregator.view.preparing import Preparing
from aggregator.view.timers import Timers
from aggregator.view.turns import LONG, QUICK, Turns

log = logging.getLogger(__name__)

#: A web worker sends its request at once, and takes the reply as fast as it comes.
SENDING = 10.0
#: How long trees are patched before connections are looked after, in seconds.
_SLICE = 0.005
_PAUSE = 0.1
#: CPU time, in seconds, of an expression that is given some more of the clock's.
_LITTLE = 0.2


class Evaluator:
    """Reads requests, brings groups up, starts children, watches and ends them."""

    def __init__(
        self,
        settings: QuerySettings,
        documents: dict[str, GroupDocuments],
        listener: socket.socket,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers = Timers()
        self._waiting: list[Asking] = []
        self._running: list[Asking] = []
        self._groups: dict[str, Preparing] = {}
        self._listener = listener
        self.use(settings, documents)
        listener.setblocking(False)
        self._listen()

    def use(self, settings: QuerySettings, documents: dict[str, GroupDocuments]) -> None:
        """Work by these settings from now on; who waits is asked for anew."""
        old = [asking for group in self._groups.values() for asking in group.all()]
        old, self._waiting = old + self._waiting, []
        self._settings = settings
        self._turns = Turns(
            most=settings.max_evaluations,
            most_long=settings.max_long_per_caller,
            most_waiting=settings.max_waiting,
        )
        self._groups = {name: Preparing(found) for name, found in documents.items()}
        for asking in old:
            self._ask(asking)

    def watch(self, number: int, call: Callable[[], None]) -> None:
        """Call `call` whenever the file of that number can be read."""
        self._selector.register(number, selectors.EVENT_READ, call)

    def turn(self) -> None:
        """Wait for something to do, and do it."""
        busy = [group for group in self._groups.values() if group.has_work]
        for key, _ in self._selector.select(0 if busy else self._timers.delay()):
            # What was done for one may have ended another, whose number may be taken again.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        self._timers.run()
        self._prepare()
        self._start_next()

    def close(self) -> None:
        """End all children and connections."""
        for asking in self._running:
            assert asking.child is not None
            asking.child.end()
            asking.child.reap()
            asking.close()
        for asking in (*self._waiting, *(a for g in self._groups.values() for a in g.all())):
            asking.close()
        self._selector.close()

    def _listen(self) -> None:
        self.watch(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # Most likely there are no more file numbers; some will be free in a moment.
            log.warning("No connection could be accepted: %s", error)
            self._selector.unregister(self._listener)
            self._timers.after(_PAUSE, self._listen)
            return
        asking = Asking(connection)
        asking.timer = self._timers.after(SENDING, partial(self._drop, asking))
        self.watch(connection.fileno(), partial(self._read, asking))

    def _read(self, asking: Asking) -> None:
        try:
            if asking.read():
                self._ask(asking)
        except Gone:
            self._drop(asking)

    def _ask(self, asking: Asking) -> None:
        group = self._groups.get(asking.request.group)
        try:
            if group is None:
                raise ResourceUnknown(f"there is no service group {asking.request.group!r} here")
            waiting = [a for g in self._groups.values() for a in g.all()] + self._waiting
            self._turns.check_room(waiting, asking.caller)
        except AggregatorException as error:
            self._refuse(asking, error)
            return
        self._expect_turn(asking)
        if asking.request.documents:
            # They came with it; what the group is like now is of no concern.
            self._waiting.append(asking)
        else:
            group.ask(asking)

    def _expect_turn(self, asking: Asking) -> None:
        error = QueryFailed(
            f"the expression waited {self._settings.timeout:g} s for its turn; try again later",
            limit="turn",
        )
        self._after(asking, self._settings.timeout, partial(self._refuse, asking, error))

    def _after(self, asking: Asking, seconds: float, call: Callable[[], None]) -> None:
        if asking.timer is not None:
            asking.timer.cancel()
        asking.timer = self._timers.after(seconds, call)

    def _prepare(self) -> None:
        busy = [group for group in self._groups.values() if group.has_work]
        end = time.monotonic() + _SLICE
        while busy and time.monotonic() < end:
            group = busy.pop(0)
            for asking, missing in group.step():
                if missing is not None:
                    self._refuse(asking, missing)
                else:
                    self._expect_turn(asking)
                    self._waiting.append(asking)
            if group.is_under_way:
                busy.append(group)

    def _start_next(self) -> None:
        while True:
            able = [a for a in self._waiting if self._is_able(a)]
            asking = self._turns.next(able, self._running)
            if asking is None:
                return
            self._waiting.remove(asking)
            try:
                self._start(asking)
            except AggregatorException as error:
                self._refuse(asking, error)
            except OSError as error:
                log.error("No process could be started for an expression: %s", error)
                self._refuse(asking, QueryFailed("no process could be started; try again later"))

    def _is_able(self, asking: Asking) -> bool:
        request = asking.request
        return bool(request.documents) or not self._groups[request.group].is_under_way

    def _start(self, asking: Asking) -> None:
        documents = self._groups[asking.request.group].documents
        asking.child = start(
            asking.request,
            documents.document(asking.request),
            asking.connection,
            memory=self._settings.memory,
            max_result=self._settings.max_result,
        )
        self._running.append(asking)
        self.watch(asking.child.pipe, partial(self._hear, asking))
        self._after(asking, min(QUICK, self._settings.timeout), partial(self._judge_slow, asking))

    def _judge_slow(self, asking: Asking) -> None:
        """One that is no quick one lets others go first, and the next have its place."""
        assert asking.child is not None
        asking.child.make_nicer()
        asking.quick = not self._turns.may_go_on(self._running)
        rest = max(0.0, min(LONG, self._settings.timeout) - QUICK)
        self._after(asking, rest, partial(self._judge_long, asking))

    def _judge_long(self, asking: Asking) -> None:
        assert asking.child is not None
        ran = asking.child.seconds()
        rest = self._settings.timeout - ran
        # On a crowded machine one that is quick by itself takes long; that is not its fault.
        patience = min(2 * LONG, (LONG + self._settings.timeout) / 2)
        if ran < patience and rest > 0 and asking.child.cpu_seconds() < _LITTLE:
            self._after(asking, min(QUICK, rest), partial(self._judge_long, asking))
            return
        try:
            if rest <= 0:
                raise self._too_slow()
            self._turns.check_long(asking.caller, [a for a in self._running if a.long])
        except QueryFailed as verdict:
            self._end(asking, verdict)
            return
        asking.long, asking.quick = True, False
        self._after(asking, rest, lambda: self._end(asking, self._too_slow()))

    def _too_slow(self) -> QueryFailed:
        return QueryFailed(
            f"the expression was not evaluated in {self._settings.timeout:g} s, the limit here",
            limit="time",
        )

    def _end(self, asking: Asking, verdict: QueryFailed) -> None:
        assert asking.child is not None
        asking.verdict = verdict
        asking.child.end()

    def _hear(self, asking: Asking) -> None:
        """The child began to answer, or ended."""
        assert asking.child is not None
        if os.read(asking.child.pipe, 1) == ANSWERING:
            asking.answering = True
            asking.long = False
            late = QueryFailed(f"the reply was not taken in {SENDING:g} s")
            self._after(asking, SENDING, partial(self._end, asking, late))
            return
        self._selector.unregister(asking.child.pipe)
        status = asking.child.reap()
        self._running.remove(asking)
        if asking.answering:
            self._forget(asking)
            return
        if asking.verdict is None:
            log.warning("An evaluation ended by itself with wait status %s", status)
        self._refuse(asking, asking.verdict or QueryFailed("the evaluation broke off"))

    def _refuse(self, asking: Asking, error: AggregatorException) -> None:
        asking.refuse(error)
        self._forget(asking)

    def _drop(self, asking: Asking) -> None:
        """The client is gone."""
        if asking in self._running:
            self._selector.unregister(asking.connection)
            self._end(asking, QueryFailed("nobody waits for the answer"))
            return
        self._forget(asking)

    def _forget(self, asking: Asking) -> None:
        if asking in self._waiting:
            self._waiting.remove(asking)
        for group in self._groups.values():
            group.drop(asking)
        if asking.connection.fileno() in self._selector.get_map():
            self._selector.unregister(asking.connection)
        asking.close()
