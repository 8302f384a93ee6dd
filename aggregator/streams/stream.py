"""One stream: how far it has come, when it wants to send, and what becomes of what can't be sent.

A message is begun by noting up to which row it goes, and ended by noting that they were sent. So
a process that is killed in between sends the same rows again, under the same name, and no others.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from aggregator.errors import MessageRefused, StoreUnavailable
from aggregator.store.engine import Store
from aggregator.store.stream_positions import Position, SetAside, move_stream, retake_stream
from aggregator.store.stream_reading import Piece, Want, next_piece
from aggregator.store.stream_storages import Storage, last_row
from aggregator.streams.batch import Batch
from aggregator.streams.message_size import MessageSize
from aggregator.streams.messenger import Messenger, SendFunction, deliver
from aggregator.streams.wanted import Wanted

logger = logging.getLogger(__name__)

#: Messages of one turn; what is left waits for the next, which is due at once.
BURST = 100
#: About how many bytes of memory the rows of one message may take.
MOST_BYTES = 4 * 2**20
#: Seconds that a stream whose sending fails waits at most, if its period is no longer.
LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """How a stream is doing.

    ``waiting`` are the rows that it has not looked at yet, ``failures`` the attempts that failed
    since the last success, and ``last_error`` what was wrong; ``taken_over`` says that another
    process sends it now.
    """

    table_key: str
    name: str
    waiting: int
    sent: int
    failures: int
    last_error: str
    taken_over: bool


class _TakenOver(Exception):
    """Another process sends the stream now."""


class _Unsent(Exception):
    """A message was not sent; `at_fault` says that the same would fail again."""

    def __init__(self, error: Exception, *, at_fault: bool) -> None:
        super().__init__(_told(error))
        self.at_fault = at_fault


class Stream:
    """A stream that this process sends. Used by one thread at a time."""

    def __init__(self, store: Store, storage: Storage, wanted: Wanted, position: Position) -> None:
        self.storage = storage
        self.wanted = wanted
        #: When it wants to send, by the caller's clock; None is as soon as there is one.
        self.due: float | None = None
        self.taken_over = False
        #: Set by who stops it while it sends: it does so no more than it has begun to.
        self.is_stopped = False
        self._store = store
        # As far as it came, and as far as that is noted.
        self._at = self._noted = position
        self._size = MessageSize(wanted.batch_size)
        self._sent = self._failures = self._in_doubt = 0
        self._last_error = ""

    @property
    def name(self) -> tuple[str, str]:
        """Its table key, and its own name."""
        return self.storage.key, self.wanted.name

    @property
    def epoch(self) -> int:
        """That by which it is this process' turn to send it."""
        return self._at.epoch

    def status(self) -> StreamStatus:
        """How it is doing; raises StoreUnavailable."""
        last = self._store.query(lambda connection: last_row(connection, self.storage))
        return StreamStatus(
            self.storage.key,
            self.wanted.name,
            max(0, last - self._at.position),
            self._sent,
            self._failures,
            self._last_error,
            self.taken_over,
        )

    def turn(self, now: float, messenger: Messenger | SendFunction) -> None:
        """Send what there is, where it is due; never raises for what a retry may mend."""
        if self.taken_over:
            return
        if self.due is not None and now < self.due <= now + self._pause():
            return
        # One that lies further ahead than any pause was laid down by a clock that was set back.
        self.due = now + self.wanted.period
        try:
            self._retake()
            self._send_all(now, messenger)
        except _TakenOver:
            self.taken_over = True
            logger.warning("%s is sent by another process now", self)
        except StoreUnavailable as error:
            self._fail(now, str(error))
        except Exception as error:
            # Whatever it is, it is no other stream's trouble.
            logger.exception("%s failed in a way that nobody foresaw", self)
            self._fail(now, _told(error))

    def doubt(self) -> None:
        """Take the stream again before it is sent: this process may have done so unawares."""
        self._in_doubt += 1

    def _retake(self) -> None:
        if not self._in_doubt:
            return
        at, doubts = self._at, self._in_doubt
        # Whether this is heard of or not.
        self._in_doubt += 1
        mark = self.wanted.mark
        taken = self._store.writer.run(
            lambda write: retake_stream(write, at, doubts=doubts, condition=mark)
        )
        if taken is None:
            raise _TakenOver
        self._at = self._noted = taken
        self._in_doubt = 0

    def note(self) -> None:
        """Have noted what it sent, where that could not be done yet; raises StoreUnavailable."""
        try:
            if not self.taken_over:
                self._retake()
                self._note(self._at)
        except _TakenOver:
            self.taken_over = True

    def _send_all(self, now: float, messenger: Messenger | SendFunction) -> None:
        # What is stored while this turn lasts is the next one's.
        horizon: int | None = None
        for _ in range(BURST):
            began = self._at.pending is not None
            piece = self._next(self._at.pending if began else horizon)
            if piece.rows and not self._sent_piece(now, piece, messenger):
                return
            self._at = replace(self._at, position=piece.upto, pending=None)
            if not piece.rows:
                # So that nobody looks at so many rows once more.
                self._note(self._at)
            if self.is_stopped:
                break
            if not began:
                horizon = piece.last
                if piece.upto >= horizon:
                    break
        else:
            self.due = now
        self._failures, self._last_error = 0, ""
        self._note(self._at)

    def _sent_piece(self, now: float, piece: Piece, messenger: Messenger | SendFunction) -> bool:
        """Whether the message of a piece was sent, which is noted by whoever asks."""
        self._note(replace(self._at, pending=piece.upto))
        try:
            self._send(piece, messenger)
        except _Unsent as unsent:
            self._fail(now, str(unsent))
            if unsent.at_fault:
                self._blame(now, piece, str(unsent))
            return False
        self._sent += len(piece.rows)
        self._failures = 0
        self._size.passed(len(piece.rows))
        return True

    def _next(self, upto: int | None) -> Piece:
        want = Want(
            after=self._at.position,
            upto=upto,
            condition=self.wanted.condition,
            most=self._size.rows,
            most_bytes=MOST_BYTES,
        )
        return self._store.query(lambda connection: next_piece(connection, self.storage, want))

    def _note(self, to: Position, *, passed_over: SetAside | None = None) -> None:
        if to != self._noted or passed_over is not None:
            if not self._store.writer.run(
                lambda write: move_stream(write, to, passed_over=passed_over)
            ):
                raise _TakenOver
            self._noted = to
        self._at = to

    def _send(self, piece: Piece, messenger: Messenger | SendFunction) -> None:
        """Format and send; raises _Unsent."""
        batch = self._batch(piece)
        try:
            message = self.wanted.formatter(self._rows(piece, batch), self.wanted.userdata)
        except Exception as error:
            logger.debug("the formatter of %s failed", self, exc_info=True)
            raise _Unsent(error, at_fault=True) from error
        if message is None:
            return
        try:
            deliver(messenger, message, batch)
        except Exception as error:
            logger.debug("the messenger of %s failed", self, exc_info=True)
            raise _Unsent(error, at_fault=isinstance(error, MessageRefused)) from error

    def _batch(self, piece: Piece) -> Batch:
        parts = [self.storage.ident, self.wanted.name or "-", self.wanted.mark or "-"]
        return Batch(
            id="/".join([*parts, f"{self._at.position + 1}-{piece.upto}"]),
            table_key=self.storage.key,
            stream=self.wanted.name,
            row_ids=tuple(row_id(self.storage, int(row[0])) for row in piece.rows),
            to=self.wanted.to,
            attempt=self._failures + 1,
        )

    def _rows(self, piece: Piece, batch: Batch) -> list[list[Any]]:
        if not self.wanted.row_ids:
            return [list(row[1:]) for row in piece.rows]
        return [[name, *row[1:]] for name, row in zip(batch.row_ids, piece.rows, strict=True)]

    def _fail(self, now: float, reason: str) -> None:
        self._failures += 1
        self._last_error = reason
        self.due = now + self._pause()
        logger.warning(
            "%s failed for the %d. time, and is tried again in %g s: %s",
            self,
            self._failures,
            self._pause(),
            reason,
        )

    def _pause(self) -> float:
        """Seconds until the next turn: longer with each failure, but no longer than is useful."""
        period = self.wanted.period
        grown = period * 2.0 ** min(max(self._failures - 1, 0), 30)
        return max(period, min(grown, LONGEST_PAUSE))

    def _blame(self, now: float, piece: Piece, reason: str) -> None:
        """Make a message at fault smaller, and go on without a row at fault, if that is wanted."""
        rows = len(piece.rows)
        if not self._size.is_smaller_after(rows, attempts=self.wanted.set_aside_after):
            return
        self._failures = 0
        self.due = now + self.wanted.period
        if rows > 1:
            self._at = replace(self._at, pending=None)
            return
        row = int(piece.rows[0][0])
        passed_over = SetAside(row, now, reason)
        self._note(replace(self._at, position=piece.upto, pending=None), passed_over=passed_over)
        logger.error("%s goes on without the row %s: %s", self, row_id(self.storage, row), reason)

    def __str__(self) -> str:
        name = f" ({self.wanted.name})" if self.wanted.name else ""
        return f"the stream of {self.storage.key}{name}"


def _told(error: Exception) -> str:
    """An error in words that every database takes, whatever it says of itself."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    plain = text[:1000].encode("utf-8", "replace").decode()
    return plain.replace("\0", "\N{REPLACEMENT CHARACTER}")


def row_id(storage: Storage, number: int) -> str:
    """The name of a row, which no other row has, of whatever storage, and which stays."""
    return f"{storage.ident}.{number}"
