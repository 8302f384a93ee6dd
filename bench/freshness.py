"""Whether what is shown of members is what they served last."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.members import Served

#: Seconds after which a reply of a member must be shown.
_SETTLED = 3.0


@dataclass(frozen=True, slots=True)
class Shown:
    """The mark that was shown of a member at an instant, seconds since 1970."""

    at: float
    number: int
    mark: str


@contextlib.contextmanager
def asked(
    mark_of: Callable[[int], str], count: int, *, pause: float = 1.0
) -> Iterator[list[Shown]]:
    """Ask for a member drawn at random, of `count`, after each pause, for as long as the block."""
    shown: list[Shown] = []
    failed: list[Exception] = []
    ended = threading.Event()

    def ask() -> None:
        try:
            while not ended.wait(pause):
                at, number = time.time(), random.randrange(count)
                shown.append(Shown(at, number, mark_of(number)))
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield shown
    finally:
        ended.set()
        thread.join()
    if failed:
        raise failed[0]


def check_fresh(shown: Sequence[Shown], served: Sequence[Served]) -> None:
    """Refuse a measurement in which a member was shown with less than it had served."""
    replies: Mapping[int, list[Served]] = defaultdict(list)
    for reply in served:
        replies[reply.number].append(reply)
    wrong = [one for one in shown if one.mark not in _expected(replies[one.number], one.at)]
    if wrong or not shown:
        raise RuntimeError(f"{len(wrong)} of {len(shown)} are not what members said: {wrong[:3]}")


def _expected(replies: Sequence[Served], at: float) -> set[str]:
    """The last mark that had been served for some time, and those that came after it."""
    settled = [reply.mark for reply in replies if reply.at <= at - _SETTLED]
    later = [reply.mark for reply in replies if reply.at > at - _SETTLED]
    return {*settled[-1:], *later}
