"""Calls that may hang for ever (a dead file server), in threads that hold up nobody's end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from aggregator.errors import CollectError

T = TypeVar("T")


async def in_daemon(call: Callable[[], T]) -> T:
    """What the call returns or raises; who is cancelled meanwhile leaves it to itself."""
    return await _start(call)[1]


class Aside:
    """Runs one call at a time in a daemon thread, which does not keep the process from ending."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    async def run(self, call: Callable[[], T], *, timeout: float) -> T:
        """What the call returns or raises; CollectError where it takes too long.

        A call that hangs goes on hanging, and no second one is begun beside it.
        """
        if self._thread is not None and self._thread.is_alive():
            raise CollectError("the run before this one still hangs", code="hanging")
        self._thread, done = _start(call)
        try:
            async with asyncio.timeout(timeout):
                return await done
        except TimeoutError as error:
            raise CollectError(f"nothing came within {timeout:g} s", code="timeout") from error


def _start(call: Callable[[], T]) -> tuple[threading.Thread, asyncio.Future[T]]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    thread = threading.Thread(target=_perform, args=(call, loop, done), daemon=True)
    thread.start()
    return thread, done


def _perform(
    call: Callable[[], T], loop: asyncio.AbstractEventLoop, done: asyncio.Future[T]
) -> None:
    try:
        result = call()
    except BaseException as error:
        _tell(loop, done, partial(done.set_exception, error))
    else:
        _tell(loop, done, partial(done.set_result, result))


def _tell(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], tell: Callable[[], None]
) -> None:
    def in_loop() -> None:
        if not done.done():
            tell()

    # The loop may be gone by the time that a hanging call returns.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(in_loop)
