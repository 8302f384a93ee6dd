"""Dispatches ``bench/run NAME`` to the benchmark or the long run of that name."""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from bench.benchmark import BENCHMARKS, run_some

#: Long runs by name: the module here that has a click command `main`, and what it is.
RUNS = {
    "chaos": ("chaos", "Processes killed at random moments under load."),
    "fuzz": ("fuzz", "Random requests against a running service."),
    "fuzz-wire": ("fuzz_wire", "Random bytes against the modules that read messages."),
    "notify-kills": ("notify_kills", "Notifications while consumers and services are killed."),
    "timeouts": ("timeouts", "Probes and polls that time out by the thousand."),
    "xpath-answers": ("xpath_oracle", "Random expressions, each answer compared with BaseX's."),
}
PAGES = Path(__file__).parents[1] / "docs"

_json = click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write the results there."
)


class Runs(click.Group):
    """Loads the module of a run or a benchmark when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, the benchmarks first."""
        return [*BENCHMARKS, *sorted(RUNS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The run of a name."""
        if cmd_name in BENCHMARKS:
            return _benchmark(cmd_name)
        if cmd_name not in RUNS:
            return None
        module, words = RUNS[cmd_name]
        found: click.Command = importlib.import_module(f"bench.{module}").main
        found.short_help = words
        return found


def _benchmark(name: str) -> click.Command:
    what = importlib.import_module(f"bench.{BENCHMARKS[name]}").WHAT

    @click.command(name, help=f"{what}; beside its peers.", short_help=what)
    @_json
    @click.option("--page", is_flag=True, help="Put the results into docs/performance.md.")
    def command(file: Path | None, page: bool) -> None:
        pages = PAGES if page else None
        sys.exit(not run_some([name], file=file, pages=pages, console=Console()))

    return command


@click.group(cls=Runs, invoke_without_command=True)
@_json
@click.pass_context
def main(ctx: click.Context, file: Path | None) -> None:
    """Run NAME against a service of its own on this machine; without one, all benchmarks, which
    make docs/performance.md anew. The status is 1 where a target was not met.

    Example: bench/run full-query --json result.json
    """
    if ctx.invoked_subcommand is None:
        met = run_some(list(BENCHMARKS), file=file, pages=PAGES, console=Console())
        sys.exit(not met)


if __name__ == "__main__":
    # Who is told to end leaves nothing running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(prog_name="bench/run")
