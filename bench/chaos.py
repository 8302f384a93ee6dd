"""``bench/run chaos``: rounds of kills under load, and a table of what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests import databases
from tests.chaos import life as lives
from tests.chaos.playing import SLACK, Round, play

#: Outcomes that are told in columns of their own, in this order.
_OUTCOMES = ("acknowledged", "answered", "too late", "cut off", "refused", "no service")


@dataclass(slots=True)
class Tally:
    """The sums over all rounds."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    in_doubt: int = 0
    restarts: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def add(self, played: Round) -> None:
        """Add a round."""
        self.rounds += 1
        self.kills.update(kill.role for kill in played.kills)
        self.requests.update(played.counts)
        self.in_doubt += played.ledger.doubts
        self.violations += [f"--seed {played.seed}: {what}" for what in played.violations]

    def count(self, kind: str) -> int:
        """Violations of a kind: they begin with its name."""
        return sum(what.partition(": ")[2].startswith(kind) for what in self.violations)

    def summary(self) -> dict[str, object]:
        """What there is to tell, for machines."""
        return {
            "rounds": self.rounds,
            "kills": dict(self.kills),
            "requests": dict(self.requests),
            "acknowledged": _sum(self.requests, "acknowledged"),
            "in_doubt": self.in_doubt,
            "lost": self.count("lost"),
            "resurrected": self.count("resurrected"),
            "violations": self.violations,
            "restart_seconds": {
                "median": round(statistics.median(self.restarts), 2) if self.restarts else None,
                "max": round(max(self.restarts), 2) if self.restarts else None,
            },
        }


def _sum(requests: Counter[str], outcome: str) -> int:
    return sum(count for name, count in requests.items() if name.endswith(outcome))


@click.command()
@click.option("--rounds", default=200, show_default=True, help="How many rounds.")
@click.option("--seed", default=1, show_default=True, help="Of the first round; the next adds one.")
@click.option("--writes", default=100, show_default=True, help="Adds and renewals of a round.")
@click.option(
    "--database", default="", help="URL of a PostgreSQL server to run on; else the embedded one."
)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the counts there.")
def main(rounds: int, seed: int, writes: int, database: str, file: Path | None) -> None:
    """Kill processes of a service at random moments under load; 1 where anything was lost."""
    # Ctrl-C ends the rounds early and tells what they found, also where a shell has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if database:
        os.environ[databases.VARIABLE] = database
    console = Console()
    tally = Tally()
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("rounds", total=rounds)
        kind = "postgresql" if database else "sqlite"
        with contextlib.suppress(KeyboardInterrupt):
            for played in _rounds(range(rounds), seed, kind=kind, writes=writes, tally=tally):
                tally.add(played)
                progress.advance(task)
                if not console.is_terminal and tally.rounds % lives.ROUNDS == 0:
                    console.print(f"{tally.rounds} rounds, {len(tally.violations)} violations")
    for what in tally.violations:
        console.print(what, markup=False, highlight=False)
    _tell(console, tally, time.monotonic() - began)
    if file is not None:
        file.write_text(json.dumps(tally.summary(), indent=1) + "\n")
    sys.exit(1 if tally.violations else 0)


def _rounds(rounds: range, seed: int, *, kind: str, writes: int, tally: Tally) -> Iterator[Round]:
    """Play the rounds, a new database for each life; what breaks a life breaks no other one."""
    for first in rounds[:: lives.ROUNDS]:
        numbers = rounds[first : first + lives.ROUNDS]
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
            url = stack.enter_context(databases.database(kind, folder))
            try:
                with lives.life(folder, url) as life:
                    for number in numbers:
                        yield play(life, seed + number, number, slack=SLACK[kind], writes=writes)
                    tally.restarts += life.restarts
            except AssertionError as error:
                tally.violations.append(f"--seed {seed + first} and on: {error}")


def _tell(console: Console, tally: Tally, seconds: float) -> None:
    kills = Table("killed", "times", title=f"{tally.rounds} rounds in {seconds:.0f} s")
    for role, times in sorted(tally.kills.items()):
        kills.add_row(role, str(times))
    requests = Table("request", *_OUTCOMES)
    for name in dict.fromkeys(_operation(kind) for kind in sorted(tally.requests)):
        requests.add_row(name, *(str(tally.requests[f"{name} {what}"]) for what in _OUTCOMES))
    found = tally.summary()
    sums = Table("what", "count")
    for name in ("acknowledged", "lost", "resurrected", "in_doubt"):
        sums.add_row(name.replace("_", " "), str(found[name]))
    sums.add_row("violations of any kind", str(len(tally.violations)))
    if tally.restarts:
        median, longest = statistics.median(tally.restarts), max(tally.restarts)
        sums.add_row("restart, median and longest", f"{median:.1f} s, {longest:.1f} s")
    for table in (kills, requests, sums):
        console.print(table)


def _operation(kind: str) -> str:
    return next(kind.removesuffix(f" {what}") for what in _OUTCOMES if kind.endswith(what))
