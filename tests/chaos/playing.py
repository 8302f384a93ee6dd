"""A round: clients at work, kills at random moments, and the check of every book afterwards."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from aggregator.view.query_client import PATIENCE
from tests.chaos.client import Client
from tests.chaos.exchange import Failure
from tests.chaos.ledger import GONE, Known, Ledger
from tests.chaos.life import Life
from tests.chaos.looking import Course, list_group, look_at
from tests.chaos.victims import ROLES, Kill
from tests.soap import Family
from tests.waiting import until

CLIENTS = 6
#: Adds and renewals that a round has acknowledged before it ends.
WRITES = 210
KILLS = (2, 3)
#: Microseconds by which the clock of each database and ours may seem to differ: a server's is read
#: over the network, and this machine may be busy meanwhile.
SLACK = {"sqlite": 0, "postgresql": 250_000}
#: Seconds that a round may take on a machine that is busy with others.
_PATIENCE = 240


@dataclass(slots=True)
class Round:
    """What came of a round; `seed` repeats it."""

    seed: int
    group: str
    ledger: Ledger
    kills: list[Kill] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def written(self) -> int:
        """Adds and renewals that were acknowledged."""
        return self.counts["Add acknowledged"] + self.counts["renewal acknowledged"]

    @property
    def violations(self) -> list[str]:
        """What must not be."""
        return self.ledger.violations


def play(life: Life, seed: int, number: int, *, slack: int, writes: int = WRITES) -> Round:
    """Play one round in the group that is the life's `number`th."""
    ledger = Ledger(slack=slack)
    course = Course(writes)
    played = Round(seed, life.group(number), ledger)
    with at_work(played.group, ledger, course, seed=seed):
        _kill(life, course, Random(f"{seed} kills"), played.kills)
        until(lambda: course.is_over, within=_PATIENCE, what="the end of the round")
    look_again(played.group, ledger, course)
    played.counts = course.counts
    for failure in course.failures:
        _judge(played, failure)
    return played


@contextmanager
def at_work(
    group: str, ledger: Ledger, course: Course, *, seed: int, readers: int = 0
) -> Iterator[None]:
    """Clients work in the block, and go on after it until the course is over.

    `readers` of them do not write.
    """
    clients = [
        Client(group, ledger, course, n, Random(f"{seed} client {n}"), n >= CLIENTS)
        for n in range(CLIENTS + readers)
    ]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    except BaseException:
        course.broken.set()
        raise
    finally:
        course.quiet.set()
        for thread in threads:
            thread.join(_PATIENCE)


def _kill(life: Life, course: Course, random: Random, kills: list[Kill]) -> None:
    """Kill at random moments while the clients work."""
    roles = random.sample(ROLES, random.choice(KILLS))
    moments = sorted(random.uniform(0.05, 0.95) * course.quota for _ in roles)
    for moment, role in zip(moments, roles, strict=True):
        until(
            lambda at=moment: course.written >= at or course.broken.is_set(),  # type: ignore[misc]
            within=_PATIENCE,
            every=0.002,
            what="the moment of a kill",
        )
        time.sleep(random.uniform(0, 0.02))
        kills.append(life.kill(role, random.randrange(100)))
    course.quiet.set()


def look_again(group: str, ledger: Ledger, course: Course) -> None:
    """Judge all registrations once more, each by itself and twice together."""
    families: tuple[Family, ...] = ("oasis", "gt4")
    placed = list_group(group, "oasis", ledger, course)
    if placed is None:
        ledger.wrong("the group can't be read after the round")
        return
    by_address = {known.address: known for known in ledger.registrations}

    def look(known: Known) -> None:
        entry = placed.get(known.address) or known.reference
        if entry is not None and known.states != {GONE}:
            known.family = "oasis" if known.address in placed else known.family
            look_at(known, entry, ledger, course)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(look, by_address.values()))
    for family in families:
        if list_group(group, family, ledger, course) is None:
            ledger.wrong("the group can't be read after the round")


def _judge(played: Round, failure: Failure) -> None:
    """Count a failure that a kill explains; any other one is a violation."""
    reached = [kill for kill in played.kills if _explains(kill, failure)]
    if failure.answer is not None:
        explained = failure.operation == "XPath" and _evaluator_missed(played, failure)
    else:
        explained = any(kill.role != "evaluator" for kill in reached)
    kind = "refused" if failure.answer is not None else "cut off" if failure.port else "no service"
    played.counts[f"{failure.operation} {kind}"] += 1
    if not explained:
        played.ledger.wrong(f"failed for no kill's sake: {failure}; kills: {played.kills}")


def _evaluator_missed(played: Round, failure: Failure) -> bool:
    """Two evaluators went away under an XPath, or it waited for the next one in vain."""
    killed = [kill for kill in played.kills if kill.role in ("evaluator", "supervisor")]
    twice = sum(_explains(kill, failure) for kill in killed) > 1
    waited = failure.ended - failure.began >= PATIENCE * 1_000_000
    return twice or (waited and any(kill.at <= failure.ended for kill in killed))


def _explains(kill: Kill, failure: Failure) -> bool:
    if kill.role == "web worker":
        return failure.port in kill.ports and failure.overlaps(kill.at, kill.gone)
    # A web process is needed by every request, the evaluator by those that are answered by it.
    if kill.role in ("web arbiter", "supervisor", "evaluator"):
        return failure.overlaps(kill.at, kill.gone)
    return False
