"""What went wrong in a database of measurements, told without anybody's name or password."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
from sqlalchemy import exc

from aggregator.errors import MeasurementsUnavailable
from aggregator.store.measured_limits import Budget
from aggregator.store.trouble import cause

#: Numbers of errors of MySQL and MariaDB, and class and codes of PostgreSQL's.
_TOO_SLOW = frozenset({1969, 3024, 1205, "57014"})
_REFUSED = (1044, 1045, 1142, 1698, "28000", "28P01", "42501")
_SHORT: dict[int | str | None, str] = {
    **dict.fromkeys(_REFUSED, "the server refused the login, or what was asked"),
    **dict.fromkeys((1049, "3D000"), "the server has no such database"),
}
_NAMES = frozenset({1146, 1054, "42P01", "42703"})
"""A table or a column that is not there: the message tells which, and nothing else."""


def trouble(error: BaseException, name: str, budget: Budget) -> MeasurementsUnavailable:
    """The error of ours for one of a driver or of SQLAlchemy."""
    inner = cause(error)
    code = _code(inner)
    if is_too_slow(inner):
        return budget.exceeded()
    return MeasurementsUnavailable(f"{name}: {_what(inner, code)}")


def is_too_slow(error: BaseException) -> bool:
    """Whether a driver's error says that the time was over."""
    return _code(error) in _TOO_SLOW or _is_silence(error)


def _is_silence(error: BaseException) -> bool:
    """Whether the driver gave up on a server that said nothing."""
    if isinstance(error, psycopg.OperationalError):
        return "did not answer within" in str(error)
    return isinstance(error.__cause__ or error.__context__, TimeoutError) and _code(error) == 2013


def _what(error: BaseException, code: int | str | None) -> str:
    if code in _SHORT:
        return _SHORT[code]
    if code in _NAMES or isinstance(error, sqlite3.Error):
        # An embedded database has no credentials.
        return _message(error)
    if _is_away(error, code):
        return "the server can't be reached"
    if isinstance(error, exc.TimeoutError):
        return "all connections are in use"
    told = type(error).__name__ if code is None else f"error {code}"
    return f"it can't be read ({told})"


def _is_away(error: BaseException, code: int | str | None) -> bool:
    """Whether there is no connection, or none any more."""
    if isinstance(code, int):
        return 2000 <= code < 2100 or code in (1040, 1053, 1927)
    if isinstance(code, str):
        return code.startswith(("57P", "08", "53"))
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError)


def _code(error: BaseException) -> int | str | None:
    if isinstance(error, psycopg.Error):
        return error.sqlstate
    if isinstance(error, sqlite3.Error):
        is_interrupted = getattr(error, "sqlite_errorcode", None) in (
            sqlite3.SQLITE_INTERRUPT,
            sqlite3.SQLITE_BUSY,
        )
        return "57014" if is_interrupted else None
    first: Any = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def _message(error: BaseException) -> str:
    if isinstance(error, psycopg.Error):
        return str(error.diag.message_primary)
    return str(error.args[-1]) if error.args else str(error)
