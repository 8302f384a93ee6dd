"""``bench/run xpath-answers``: random expressions, each answered by the service and by BaseX."""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count as numbers
from pathlib import Path
from random import Random

import click
from rich.console import Console
from rich.progress import Progress

from bench.xpath_grammar import KINDS, drawn
from bench.xpath_queries import FIXED, Query
from bench.xpath_sides import Refused, Sides, sides


@click.command()
@click.option("--entries", default=300, show_default=True, help="Entries of the group.")
@click.option("--seconds", default=60.0, show_default=True, help="How long to go on.")
@click.option("--seed", type=int, help="Draw the expressions of an earlier run.")
def main(*, entries: int, seconds: float, seed: int | None) -> None:
    """Compare answers to expressions of the benchmark's grammar; the status is 1 if some differ.

    Example: bench/run xpath-answers --seconds 600
    """
    console = Console(stderr=True)
    seed = secrets.randbelow(10**6) if seed is None else seed
    counts: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        sides(Path(folder), count=entries) as both,
        Progress(console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("expressions", total=seconds)
        end = time.monotonic() + seconds
        for kind, query in expressions(seed, entries):
            found = _difference(both, query)
            counts["differ" if found else kind] += 1
            if found:
                print(f"{kind}: {query.ours}\n  for BaseX: {query.basex}\n  {found}", flush=True)
            progress.update(task, completed=seconds - (end - time.monotonic()))
            if time.monotonic() > end:
                break
    print(f"--seed {seed}: {counts.total()} expressions; {dict(counts)}")
    sys.exit(bool(counts["differ"]))


def expressions(seed: int, entries: int) -> Iterator[tuple[str, Query]]:
    """Without end: first the fixed forms, then drawn ones of every kind in turn."""
    for form in FIXED:
        for query in form.queries(len(form.templates), Random(f"{seed} {form.name}"), entries):
            yield form.name, query
    for number in numbers():
        for kind in KINDS:
            draw = Random(f"{seed} {kind} {number}")
            yield kind, drawn(draw, kind).queries(1, draw, entries)[0]


def _difference(both: Sides, query: Query) -> str:
    try:
        return both.differ(query)
    except Refused as error:
        return f"{error.url}: {error}"
