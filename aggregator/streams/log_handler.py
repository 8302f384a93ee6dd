"""A handler of Python's logging that stores what is logged, so that it can be streamed."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from concurrent.futures import CancelledError, Future
from time import monotonic
from typing import Any

from aggregator.streams.streamer import SqliteDataStreamer

#: The columns of a log's table, and their types. `fileno` is the number of the line in the file.
LOG_KEYS = ["name", "thread", "level", "filename", "fileno", "msg", "exception"]
LOG_TYPES = ["VARCHAR", "VARCHAR", "INTEGER", "VARCHAR", "INTEGER", "VARCHAR", "VARCHAR"]

#: Characters of one text that are kept, and seconds that `flush` waits.
LONGEST, _PATIENCE = 32_768, 5.0
#: Whoever these belong to stores for us: to store what they say would make them say more.
_OUR_OWN = ("aggregator.store", "aggregator.streams", "sqlalchemy", "psycopg")


class LogHandler(logging.Handler):
    """Stores the records of a process in a table of a streamer, which it adds.

    Nothing that goes wrong here reaches the program, and no thread that logs waits for the
    database: `most_waiting` records may be on their way to the disk, and those that come then are
    left out and counted in `dropped`, as are those that can't be stored.

    What the storing itself logs is not stored, nor what is logged while the streamer sends, by a
    messenger or a formatter: there would always be something new to send.
    """

    def __init__(
        self,
        streamer: SqliteDataStreamer,
        table_key: str = "logkey",
        *,
        level: int | str = logging.NOTSET,
        most_waiting: int = 10_000,
    ) -> None:
        super().__init__(level)
        self.table_key = table_key
        self.dropped = 0
        self._streamer = streamer
        self._most_waiting = most_waiting
        self._waiting: deque[Future[int]] = deque()
        self._here = threading.local()
        self._process = os.getpid()
        self._is_closed = False
        streamer.add_storage(table_key, LOG_KEYS, LOG_TYPES)

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, unless it comes of the storing or the sending."""
        # Before the handler's lock: who stores may hold what we would wait for.
        if getattr(self._here, "busy", False) or self._is_ours(record):
            return False
        self._here.busy = True
        try:
            return bool(super().handle(record))
        finally:
            self._here.busy = False

    def emit(self, record: logging.LogRecord) -> None:
        """Have the record stored."""
        try:
            self._forget_done()
            if self._is_closed or len(self._waiting) >= self._most_waiting:
                self.dropped += 1
                return
            stored = self._streamer.submit_data(
                self.table_key, record.created, *self._values(record)
            )
            self._waiting.append(stored)
        except Exception:
            self.dropped += 1

    def flush(self) -> None:
        """Wait until what was logged is on the disk, for 5 seconds at most."""
        if os.getpid() != self._process:
            # After a fork: who stores is in the parent.
            return
        until = monotonic() + _PATIENCE
        for future in self._on_their_way():
            try:
                future.exception(max(0.0, until - monotonic()))
            except (CancelledError, TimeoutError):
                break
        self._on_their_way()

    def close(self) -> None:
        """Wait as `flush` does, and take no more. The streamer is not closed."""
        self._is_closed = True
        self.flush()
        super().close()

    def _on_their_way(self) -> list[Future[int]]:
        """What is not on the disk yet."""
        self.acquire()
        try:
            self._forget_done()
            return list(self._waiting)
        finally:
            self.release()

    def _is_ours(self, record: logging.LogRecord) -> bool:
        name = record.name
        if any(name == own or name.startswith(f"{own}.") for own in _OUR_OWN):
            return True
        return self._streamer.is_sending()

    def _forget_done(self) -> None:
        while self._waiting and self._waiting[0].done():
            future = self._waiting.popleft()
            if future.cancelled() or future.exception() is not None:
                self.dropped += 1

    def _values(self, record: logging.LogRecord) -> tuple[Any, ...]:
        told = record.exc_text or ""
        if record.exc_info and not told:
            told = (self.formatter or _FORMATTER).formatException(record.exc_info)
        if record.stack_info:
            told = "\n".join(filter(None, (told, str(record.stack_info))))
        return (
            _text(record.name),
            _text(record.threadName),
            int(record.levelno),
            _text(record.filename),
            int(record.lineno),
            _text(_message(record)),
            _text(told) if told else None,
        )


_FORMATTER = logging.Formatter()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        # As it was written, for whoever has to find it.
        return f"{record.msg!r} % {record.args!r}: {error!r}"


def _text(value: object) -> str:
    """A text that every database takes, of whatever was logged."""
    text = str(value)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text)} characters)"
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
