"""Commands whose every failure is one line on standard error and the right exit status."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from aggregator.cli.failing import FAILED, WRONG_USAGE
from aggregator.client.replies import describe
from aggregator.config import without_passwords
from aggregator.errors import AggregatorException, ConfigError, RemoteFault

_MOST_PROBLEMS = 20


class OneLineCommand(click.Command):
    """A command that tells wrong usage, and our own errors, in a line each.

    With the option ``debug`` on, the traceback is shown as well.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program; ends it."""
        kwargs["standalone_mode"] = False
        try:
            status = super().main(*args, **kwargs)
        except click.Abort:
            fail(["interrupted"], status=FAILED)
        except click.exceptions.NoArgsIsHelpError as error:
            # It is no message: the whole help, as it is laid out.
            click.echo(error.format_message(), err=True)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            # An argument too many may be the URL of a database.
            message = without_passwords(error.format_message())
            fail([f"{message} (see {_name(error, self)} --help)"], error.exit_code)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the callback; its errors end the program with 2 for wrong usage, 1 otherwise."""
        try:
            return super().invoke(ctx)
        except AggregatorException as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            wrong = isinstance(error, ConfigError)
            fail(_lines(error), WRONG_USAGE if wrong else FAILED)


def fail(lines: Sequence[str], status: int) -> NoReturn:
    """End with `status` after a line for each problem."""
    for line in lines[:_MOST_PROBLEMS]:
        click.echo(f"error: {' '.join(line.split())}", err=True)
    if len(lines) > _MOST_PROBLEMS:
        click.echo(f"error: and {len(lines) - _MOST_PROBLEMS} more problems", err=True)
    sys.exit(status)


def _lines(error: AggregatorException) -> Sequence[str]:
    if isinstance(error, RemoteFault):
        return [f"the service refused: {describe(error)}"]
    problems: Sequence[str] = getattr(error, "problems", ())
    return problems or [str(error)]


def _name(error: click.ClickException, command: click.Command) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else command.name or "the command with"
