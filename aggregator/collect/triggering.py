"""Triggers put together from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from aggregator.collect.delivering import Delivering
from aggregator.collect.following import Following
from aggregator.collect.recording import Recording
from aggregator.config import Settings
from aggregator.store.rule_actions import group_name, prune_actions
from aggregator.store.rule_states import forget_orphans
from aggregator.store.write import Write
from aggregator.triggers.running import RunAction, Running
from aggregator.triggers.watching import Ask, Watching
from aggregator.wire.times import SECOND

#: Actions that are dropped in one transaction.
_MOST = 500


def watching_of(settings: Settings, ask: Ask, clock: Callable[[], int]) -> Watching:
    """What holds rules against data."""
    told = frozenset(settings.triggers.tell_end)
    return Watching(ask=ask, clock=clock, form=settings.triggers.input, tells_end=told.__contains__)


def running_of(
    settings: Settings,
    watching: Watching,
    recording: Recording,
    following: Following,
    *,
    sinks: Mapping[str, Sequence[Delivering]],
    run: RunAction,
    process: str,
    epochs: Callable[[], Mapping[int, int]],
) -> Running:
    """What runs the actions of rules."""
    ask = following.ask

    async def turn(group_id: int) -> asyncio.Lock:
        name = await ask(partial(group_name, group_id=group_id))
        # A group that is offered no more has no deliveries either.
        return sinks[name][0].turn if name in sinks else asyncio.Lock()

    running = Running(
        watching,
        run=run,
        ask=ask,
        write=recording.write,
        epochs=epochs,
        holder=recording.holder,
        process=process,
        shards=settings.collect.shards,
        turn=turn,
        most=settings.triggers.max_concurrent,
        retry_for=settings.triggers.retry_for,
    )
    watching.on_fired = running.look_soon
    return running


def prune_triggers(write: Write, settings: Settings) -> int:
    """Drop actions that ended long ago, some at a time, and what is known of rules whose entries
    are gone; how many actions."""
    forget_orphans(write)
    before = write.now - round(settings.triggers.kept * SECOND)
    return prune_actions(write, before=before, most=_MOST)
