"""``bench/run timeouts``: ten thousand time-outs of probes and polls, and what is left of them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from tests.timing_out import time_out


@click.command()
@click.option("--count", default=10_000, show_default=True, help="Time-outs, half of them probes'.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write what was counted to FILE."
)
def main(*, count: int, file: Path | None) -> None:
    """Let probes and polls time out, and count what is left: nothing may be.

    Example: bench/run timeouts --count 2000
    """
    console = Console(stderr=True)
    began = time.monotonic()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("time-outs", total=count)
        left = asyncio.run(
            time_out(
                probes=count // 2, polls=count - count // 2, tick=lambda: progress.advance(task)
            )
        )
    found = {
        "count": count,
        "seconds": round(time.monotonic() - began, 1),
        "files": left.files,
        "processes": left.processes,
        "temporary": sorted(left.temporary),
    }
    if file is not None:
        file.write_text(json.dumps(found))
    print(f"{count} time-outs in {found['seconds']} s; left behind: {asdict(left)}")
    if left.files > 0 or left.processes or left.temporary:
        sys.exit(1)
