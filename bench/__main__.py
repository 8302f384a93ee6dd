"""Dispatches ``bench/run NAME`` to the module of that name."""

from __future__ import annotations

import importlib
import signal
import sys

import click

#: By name: the module here that has a click command `main`, and what it is.
RUNS = {
    "chaos": ("chaos", "Processes killed at random moments under load."),
    "fuzz": ("fuzz", "Random requests against a running service."),
    "fuzz-wire": ("fuzz_wire", "Random bytes against the modules that read messages."),
    "timeouts": ("timeouts", "Probes and polls that time out by the thousand."),
}


class Runs(click.Group):
    """Loads a run's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names."""
        return sorted(RUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The run of a name."""
        if cmd_name not in RUNS:
            return None
        module, words = RUNS[cmd_name]
        found: click.Command = importlib.import_module(f"bench.{module}").main
        found.short_help = words
        return found


@click.command(cls=Runs)
def main() -> None:
    """Run NAME against a service of its own on this machine.

    Example: bench/run fuzz --seconds 600
    """


if __name__ == "__main__":
    # Who is told to end leaves nothing running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(prog_name="bench/run")
