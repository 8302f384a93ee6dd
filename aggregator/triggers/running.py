"""Actions on their way: those that are due are begun, each once, and how they end is stored.

That an action begins is on disk before it does. What a collector had begun when it ended is shown
as ``outcome unknown`` by the next one, and is not begun again; what could not be done now and said
so is tried again, later each time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aggregator.errors import StoreUnavailable
from aggregator.store.outcomes import HELD
from aggregator.store.rule_actions import (
    DONE,
    FAILED,
    UNKNOWN,
    ClaimedAction,
    abandoned,
    any_claimable,
    claim_actions,
    end_action,
    try_again,
)
from aggregator.store.rule_claims import give_back
from aggregator.store.rule_states import WaitingRule, due_rules, load_states, save_state
from aggregator.store.triggers import trigger_version
from aggregator.store.write import Write
from aggregator.triggers import metrics
from aggregator.triggers.action_input import numbered
from aggregator.triggers.decision import fall_due
from aggregator.triggers.showing import show_again
from aggregator.triggers.watching import Ask, Watching
from aggregator.wire.times import SECOND
from aggregator.wire.trigger_rules import TriggerRule

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds between two looks, and until a store that is away is asked again.
_LOOK, _PAUSE = 0.5, 1.0
#: Rules that fire by the clock in one transaction.
_MOST_DUE = 100
#: Seconds until the second try of an action, and at most between two tries.
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 300.0


@dataclass(frozen=True, slots=True)
class ActionEnd:
    """How an action ended: `done`, or else whether it is worth another try or nobody can say
    what became of it, and what to tell.

    ``output`` is the document that it printed, serialised, empty for none; ``detail`` is for the
    log alone.
    """

    done: bool
    again: bool = False
    unknown: bool = False
    output: bytes = b""
    message: str = ""
    detail: str = ""


RunAction = Callable[[str, str, bytes], Awaitable[ActionEnd]]
"""Runs an action by its name: the id of the alert, and what it reads."""


class Running:
    """Runs actions for ever, of the shards whose leases `holder` has.

    `process` names this process, and no other one: a lease may be taken over with its name.

    `turn` is entered while an entry of a group is shown anew, so that no delivery that is under
    way shows it as it was; `most` actions run at the same time; those that can't be done now are
    tried for `retry_for` seconds.
    """

    def __init__(
        self,
        watching: Watching,
        *,
        run: RunAction,
        ask: Ask,
        write: Callable[[Callable[[Write], Any]], Awaitable[Any]],
        epochs: Callable[[], Mapping[int, int]],
        holder: str,
        process: str,
        shards: int,
        turn: Callable[[int], Awaitable[AbstractAsyncContextManager[object]]],
        most: int,
        retry_for: float,
    ) -> None:
        self._watching = watching
        self._run = run
        self._ask = ask
        self._write = write
        self._epochs = epochs
        self._holder = holder
        self._process = process
        self._shards = shards
        self._turn = turn
        self._most = most
        self._retry_for = round(retry_for * SECOND)
        self._known: Mapping[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun: set[str] = set()
        # Whether something may be claimed of which this process was not told.
        self._doubted = False
        self._some = asyncio.Event()

    def look_soon(self) -> None:
        """Look for actions at once: a rule may have fired."""
        self._some.set()

    async def run(self) -> None:
        """Begin what is due, for ever."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                logger.warning("actions wait for the store: %s", error)
                await asyncio.sleep(_PAUSE)
            except Exception:
                logger.exception("actions could not be looked for")
                await asyncio.sleep(_PAUSE)
            try:
                async with asyncio.timeout(_LOOK):
                    await self._some.wait()
            except TimeoutError:
                pass
            self._some.clear()

    async def look(self) -> None:
        """Begin what is due now."""
        epochs = dict(self._epochs())
        if not epochs:
            return
        if epochs != self._known:
            await self._take_over(epochs)
        waiting, is_any = await self._ask(self._due)
        for rule in waiting:
            if await self._write(partial(self._fire, rule, epochs)):
                await self._show(rule.group_id, rule.entry_id)
        free = self._most - len(self._tasks)
        if free > 0 and (is_any or waiting or self._doubted):
            begun = await self._begin(epochs, free)
            # There may be more.
            if len(begun) == free:
                self._some.set()

    async def _begin(self, epochs: Mapping[int, int], most: int) -> list[ClaimedAction]:
        doubted, self._doubted = self._doubted, True
        claim = partial(self._claim, epochs, most, frozenset(self._begun) if doubted else None)
        claimed: list[ClaimedAction] = await self._write(claim)
        for action in claimed:
            self._begun.add(action.id)
            task = asyncio.create_task(self._do(action))
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, action.id))
        self._doubted = False
        return claimed

    def _ended(self, number: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._begun.discard(number)
        # There is room for another one.
        self._some.set()

    async def finish(self, *, within: float) -> None:
        """Let what runs end by itself for a while; the rest is unknown to who comes next."""
        if self._doubted:
            back = partial(give_back, by=self._process, begun=frozenset(self._begun))
            with suppress(StoreUnavailable, TimeoutError):
                await asyncio.wait_for(self._write(back), within)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        for task in self._tasks:
            task.cancel()
        self._watching.close()

    async def _take_over(self, epochs: Mapping[int, int]) -> None:
        def unit(write: Write) -> list[tuple[str, int, int]]:
            held = self._held(write, epochs)
            return abandoned(write, held, of=self._shards, by=self._process)

        for rule, group_id, entry_id in await self._write(unit):
            logger.warning("an action of the rule %s was cut off: its outcome is unknown", rule)
            metrics.ACTIONS.labels("unknown").inc()
            await self._show(group_id, entry_id)
        self._known = epochs

    def _held(self, write: Write, epochs: Mapping[int, int]) -> dict[int, int]:
        """What of the lease is still ours, and stays so until this transaction is over."""
        held: dict[int, int] = dict(HELD.rows(write.connection, of=self._holder))
        return {shard: epoch for shard, epoch in epochs.items() if held.get(shard) == epoch}

    def _due(self, connection: Any) -> tuple[list[WaitingRule], bool]:
        """Rules that fire by the clock, and whether any action is to be begun."""
        shards, now, of = frozenset(self._epochs()), self._watching.now(), self._shards
        waiting = due_rules(connection, now=now, shards=shards, of=of, most=_MOST_DUE)
        return waiting, any_claimable(connection, shards, now=now, of=of)

    def _fire(self, waiting: WaitingRule, epochs: Mapping[int, int], write: Write) -> bool:
        """Fire a rule whose moment came, unless something was heard meanwhile."""
        if waiting.slot % self._shards not in self._held(write, epochs):
            return False
        if "/" not in waiting.rule and trigger_version(write.connection, waiting.rule) is None:
            return False
        state = load_states(write.connection, [waiting.rule]).get(waiting.rule)
        if state is None or state != waiting.state:
            return False
        rule = TriggerRule.loads(json.loads(waiting.waiting))
        state, verdict = fall_due(rule, state, now=max(write.now, waiting.state.due or 0))
        save_state(
            write,
            waiting.rule,
            waiting.entry_id,
            state,
            waiting=waiting.waiting,
            told=waiting.told,
        )
        if verdict:
            self._watching.want_due(write, waiting, rule, state)
        return bool(verdict)

    def _claim(
        self, epochs: Mapping[int, int], most: int, begun: Collection[str] | None, write: Write
    ) -> list[ClaimedAction]:
        held = self._held(write, epochs)
        if begun is not None:
            give_back(write, by=self._process, begun=begun)
        return claim_actions(write, held, of=self._shards, by=self._process, most=most)

    async def _do(self, action: ClaimedAction) -> None:
        words = {"rule": action.rule, "action": action.script}
        given = numbered(action.told, number=action.id, attempt=action.attempts)
        try:
            end = await self._run(action.script, action.id, given)
        except Exception:
            logger.exception("the action %s failed, which is a bug", action.script, extra=words)
            end = ActionEnd(False, message="the action could not be run; the log tells more")
        level = logging.INFO if end.done else logging.WARNING
        told = f"{end.message or 'done'} ({end.detail})" if end.detail else end.message or "done"
        logger.log(level, "%s: %s", action.kind, told, extra=words)
        metrics.ACTIONS.labels(_outcome(end)).inc()
        while True:
            try:
                await self._write(partial(self._store, action, end))
                await self._show(action.group_id, action.entry_id)
                return
            except StoreUnavailable as error:
                logger.warning("how an action ended waits for the store: %s", error, extra=words)
                await asyncio.sleep(_PAUSE)

    def _store(self, action: ClaimedAction, end: ActionEnd, write: Write) -> None:
        if end.again and not end.done and write.now - action.at < self._retry_for:
            wait = min(_FIRST_WAIT * 2 ** (action.attempts - 1), _LONGEST_WAIT)
            due = write.now + round(wait * random.uniform(0.75, 1.25) * SECOND)
            try_again(write, action.id, due=due, message=end.message)
            return
        state = DONE if end.done else UNKNOWN if end.unknown else FAILED
        end_action(write, action.id, state=state, output=end.output, message=end.message)

    async def _show(self, group_id: int, entry_id: int) -> None:
        async with await self._turn(group_id):
            await self._write(partial(show_again, entry_id=entry_id))


def _outcome(end: ActionEnd) -> str:
    if end.done:
        return "done"
    return "again" if end.again else "unknown" if end.unknown else "failed"
