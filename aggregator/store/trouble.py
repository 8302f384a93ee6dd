"""Which errors of the database mean what, and how they leave this room: as StoreUnavailable."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from aggregator.errors import StoreUnavailable

log = logging.getLogger(__name__)

DATABASE_ERRORS = (sqlite3.Error, psycopg.Error, exc.SQLAlchemyError)

# Errors that the state of the world explains. All others are ours, and logged as such.
_WORLD = (
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    exc.OperationalError,
    exc.InterfaceError,
    exc.TimeoutError,
    exc.DisconnectionError,
)
_PASSING = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
# So does a file that is damaged, or no database at all.
_SPOILT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def cause(error: BaseException) -> BaseException:
    """The driver's error inside of SQLAlchemy's."""
    if isinstance(error, exc.DBAPIError) and error.orig is not None:
        return error.orig
    return error


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that another one may do better."""
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    inner = cause(error)
    if isinstance(inner, psycopg.OperationalError):
        # Class 57P: the server shuts down or ended the session; 08: connection errors; none at
        # all: the driver found the connection broken.
        state = inner.sqlstate
        return state is None or state.startswith(("57P", "08"))
    return isinstance(inner, psycopg.InterfaceError)


def is_locked(error: BaseException) -> bool:
    """Whether somebody else holds what was needed, so that asking again at once is no use."""
    inner = cause(error)
    code = getattr(inner, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return isinstance(inner, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled)


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction run again may well succeed.

    PostgreSQL broke a deadlock, or undid it because this process was stopped in the middle of it.
    """
    return isinstance(cause(error), _PASSING)


def _is_spoilt(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _SPOILT


def unavailable(error: BaseException, *, doing: str) -> StoreUnavailable:
    """The error of ours for one of the database; what is our own fault is logged in full."""
    inner = cause(error)
    if not isinstance(error, _WORLD) and not isinstance(inner, _WORLD) and not _is_spoilt(inner):
        log.error("The store refused what it was asked: %s", inner, exc_info=error)
    first = str(inner).strip().split("\n", 1)[0] or type(inner).__name__
    if isinstance(inner, psycopg.Error):
        return StoreUnavailable(f"{doing}: {_trouble_of_server(error)}", detail=first)
    return StoreUnavailable(f"{doing}: {first}")


def _trouble_of_server(error: BaseException) -> str:
    if is_lost(error):
        return "the database can't be reached"
    return f"the database did not do it{' in time' if is_locked(error) else ''}"


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise StoreUnavailable for every error of the database in the block."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise unavailable(error, doing=doing) from error
