"""How commands end: one line on standard error that tells what was wrong, and the right status."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from aggregator.config import ConfigurationError
from aggregator.errors import AggregatorException, ConfigError

P = ParamSpec("P")
T = TypeVar("T")

FAILED = 1
WRONG_USAGE = 2


def told_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Turn our exceptions into a message and an exit status; no user ever sees a traceback.

    Wrong usage and a wrong configuration end with 2, a failed operation with 1.
    """

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except ConfigurationError as error:
            for line in str(error).splitlines():
                click.echo(f"error: {line}", err=True)
            raise SystemExit(WRONG_USAGE) from None
        except AggregatorException as error:
            click.echo(f"error: {' '.join(str(error).split())}", err=True)
            wrong = isinstance(error, ConfigError)
            raise SystemExit(WRONG_USAGE if wrong else FAILED) from None

    return wrapper
