"""Random requests against a running service, until the time is over: ``bench/run fuzz``."""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from tests.databases import database
from tests.fuzzing.case import Case
from tests.fuzzing.kinds import KINDS, SHARES
from tests.fuzzing.ledger import Ledger
from tests.fuzzing.stage import CONFIG, Stage
from tests.service import running_service

#: Requests of a round, of which every kind has its share of; the groups are read whole after each.
_ROUND = 400


@dataclass(slots=True)
class _Run:
    """What came of the requests so far."""

    stage: Stage
    end: float
    failures: Path
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.end

    def round(self, number: int) -> None:
        """A round of requests, reproducible by the number."""
        for kind, share in SHARES.items():
            self._some(kind, share * _ROUND // 100, number)
        self._guarded("whole", "the groups as a whole", self.stage.check_whole)

    def _some(self, kind: str, count: int, number: int) -> None:
        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=KINDS[kind])
        def play(case: Case) -> None:
            if not self.is_over:
                self.one(kind, case)

        play()

    def one(self, kind: str, case: Case) -> None:
        """Send a case; one that fails is kept in a file."""

        def play() -> None:
            self.counts[kind, self.stage.play(case)] += 1

        self._guarded(kind, case.to_json(), play)

    def _guarded(self, kind: str, kept: str, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self.failures.mkdir(parents=True, exist_ok=True)
            file = self.failures / f"{kind}-{len(self.failed) + 1}.json"
            file.write_text(kept)
            file.with_suffix(".txt").write_text(repr(error))
            self.counts[kind, "FAILED"] += 1
            self.failed.append(f"{file}: {error!r}")


@contextmanager
def _stage(kind: str, *, collecting: bool) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with database(kind, folder) as url:
            options = ["--database", url, *([] if collecting else ["--no-collector"])]
            with running_service(folder, config=CONFIG, options=options) as service:
                ledger = Ledger(url)
                try:
                    yield Stage(service, ledger, collecting=collecting)
                finally:
                    ledger.close()


def _show(run: _Run, console: Console) -> None:
    table = Table("kind", "outcome", "count")
    for (kind, outcome), count in sorted(run.counts.items()):
        table.add_row(kind, outcome, str(count))
    console.print(table)
    console.print(f"{run.counts.total()} requests, {len(run.failed)} failed")
    for failure in run.failed:
        console.print(failure, markup=False)


@click.command()
@click.option("--seconds", default=240, show_default=True, help="How long to go on.")
@click.option("--seed", "first", type=int, help="Of the first round; drawn where none is given.")
@click.option("--database", "kind", type=click.Choice(["sqlite", "postgresql"]), default="sqlite")
@click.option("--collector/--no-collector", default=True, help="Collect from what is registered.")
@click.option("--failures", type=Path, default=Path("fuzz-failures"), help="Where they are kept.")
@click.option("--again", type=click.Path(exists=True, path_type=Path), help="Send one of them.")
@click.option("--json", "file", type=Path, help="Write the counts to a file.")
def main(
    *,
    seconds: int,
    first: int | None,
    kind: str,
    collector: bool,
    failures: Path,
    again: Path | None,
    file: Path | None,
) -> None:
    """Send requests that nobody would write on purpose; exit 1 where an answer is wrong."""
    console = Console()
    start = secrets.randbelow(2**32) if first is None else first
    with _stage(kind, collecting=collector) as stage:
        end = time.monotonic() + seconds
        found = _Run(stage, end, failures)
        if again is not None:
            found.one("again", Case.from_json(again.read_text()))
        else:
            _rounds(found, start, seconds, console)
    _show(found, console)
    if file is not None:
        counts = [[*key, count] for key, count in sorted(found.counts.items())]
        file.write_text(json.dumps({"seed": start, "counts": counts, "failed": found.failed}))
    raise SystemExit(1 if found.failed else 0)


def _rounds(run: _Run, start: int, seconds: int, console: Console) -> None:
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"seed {start}", total=seconds)
        number = start
        while not run.is_over:
            run.round(number)
            number += 1
            progress.update(task, completed=seconds - max(0, run.end - time.monotonic()))
