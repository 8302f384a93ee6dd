"""Runs benchmarks: each in a folder of its own, with progress; shows and keeps what came of it."""

from __future__ import annotations

import importlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import page
from bench.figures import Result, result_of
from bench.processes import Missing

#: By name, the module with its `run` and `WHAT`, in the order of the page.
BENCHMARKS = {
    "full-query": "full_query",
    "query-under-change": "query_under_change",
    "xpath": "xpath",
    "add": "add",
    "renew": "renew",
    "poll": "poll",
    "probe": "probe",
    "memory": "memory",
    "mass-expiry": "mass_expiry",
    "restart": "restart",
    "growth": "growth",
    "notify": "notify",
    "archive": "archive",
    "reports": "reports",
    "measurement": "measurement",
}

Run = Callable[[Path, Callable[[float], None]], Result]


def run_some(
    names: Sequence[str], *, file: Path | None, pages: Path | None, console: Console
) -> bool:
    """Run benchmarks; whether all met their targets.

    `file` is given all results as JSON; in the folder `pages` the page is made anew, with what it
    knew of the others.
    """
    results = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        whole = progress.add_task("benchmarks", total=len(names))
        for name in names:
            task = progress.add_task(name, total=1.0)
            results.append(
                _run(name, lambda done, task=task: progress.update(task, completed=done))
            )
            progress.update(task, completed=1.0)
            progress.advance(whole)
            _show(console, results[-1])
    if file is not None:
        found = {"machine": page.machine(), "results": [one.as_json() for one in results]}
        file.write_text(json.dumps(found, indent=1) + "\n")
    if pages is not None:
        page.write(pages, results, order=list(BENCHMARKS))
    return all(figure.is_met for one in results for figure in one.figures)


def _run(name: str, advance: Callable[[float], None]) -> Result:
    module = importlib.import_module(f"bench.{BENCHMARKS[name]}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            result: Result = module.run(Path(folder), advance)
        except Missing as missing:
            result = Result(name, module.WHAT, missing=[str(missing)])
    result.seconds = time.monotonic() - began
    return result_of(json.loads(json.dumps(result.as_json())))


def _show(console: Console, result: Result) -> None:
    console.print(f"[bold]{result.name}[/bold]: {result.what} ({result.seconds:.0f} s)")
    if result.figures:
        table = Table("figure", "measured", "target", "")
        for one in result.figures:
            measured = f"{one.measured:.2f} {one.unit}"
            table.add_row(
                one.name,
                measured,
                f"{one.bound} {one.target:g} {one.unit}",
                "met" if one.is_met else "[red]not met[/red]",
            )
        console.print(table)
    if result.rows:
        table = Table(*result.columns)
        for row in result.rows:
            table.add_row(*row)
        console.print(table)
    for line in (*result.notes, *(f"left out: {what}" for what in result.missing)):
        console.print(line, markup=False, highlight=False)
