"""The streams that a streamer runs: begun, taken turns of, ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from aggregator.errors import StoreUnavailable, StreamRefused
from aggregator.store.engine import Store
from aggregator.store.stream_positions import Start, end_stream, take_stream
from aggregator.store.stream_reading import row_before
from aggregator.store.stream_storages import Storage
from aggregator.streams.messenger import Messenger, SendFunction
from aggregator.streams.stream import Stream, StreamStatus
from aggregator.streams.wanted import Begin, Wanted

logger = logging.getLogger(__name__)

#: Seconds after which it should be asked again that has no stream.
IDLE = 1.0


class RunningStreams:
    """Streams by table key and name. Who changes one waits for the message that is under way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[tuple[str, str], Stream] = {}
        # Held while something is sent; the sender itself may stop a stream, or ask again.
        self._turns = threading.RLock()
        self._sender: int | None = None
        self._sending: Stream | None = None
        # Streams that were stopped, which could not be noted yet.
        self._unended: dict[tuple[str, str], Stream] = {}

    def begin(self, storage: Storage, wanted: Wanted, start: Begin | None) -> None:
        """Send a stream from now on; raises StreamRefused where it is being sent by the caller."""
        name = (storage.key, wanted.name)
        with self._turns:
            if self._sending is not None and self._sending.name == name:
                raise StreamRefused(
                    f"the stream of {storage.key} sends at this moment, and can't be changed by its"
                    " own messenger or formatter; do that when do_updates has returned"
                )
            # How far it came is noted, even where that could not be done before.
            if name in self._unended:
                self._note_end(name, self._unended[name])
            if name in self._running:
                self._running[name].note()
            after = self._after(storage, start)
            try:
                position = self._store.writer.run(
                    lambda write: take_stream(
                        write, storage, wanted.name, start=after, condition=wanted.mark
                    )
                )
            except StoreUnavailable:
                # It may have happened all the same, and the one that runs would be no more
                # the one to send.
                if name in self._running:
                    self._running[name].doubt()
                raise
            self._running[name] = Stream(self._store, storage, wanted, position)

    def _after(self, storage: Storage, start: Begin | None) -> Start | None:
        if not isinstance(start, float):
            return start
        return self._store.query(lambda connection: row_before(connection, storage, start))

    def send(
        self,
        now: float,
        messenger: Messenger | SendFunction,
        *,
        afterwards: Callable[[], None],
    ) -> float:
        """Let each stream take its turn; when to call again."""
        with self._turns:
            # A messenger or a formatter may ask, too: it has its answer, and nothing is sent.
            if self._sender is None:
                self._sender = threading.get_ident()
                try:
                    for name, ended in list(self._unended.items()):
                        self._end(name, ended)
                    for stream in list(self._running.values()):
                        self._turn(stream, now, messenger)
                    afterwards()
                finally:
                    self._sender = None
            waiting = [one.due for one in self._running.values() if not one.taken_over]
            if not waiting:
                return now + IDLE
            return min(now if due is None else due for due in waiting)

    def _turn(self, stream: Stream, now: float, messenger: Messenger | SendFunction) -> None:
        if self._running.get(stream.name) is not stream:
            # One before it has stopped it.
            return
        self._sending = stream
        try:
            stream.turn(now, messenger)
        finally:
            self._sending = None
            if stream.is_stopped:
                self._end(stream.name, stream)

    def stop(self, storage: Storage, name: str) -> object:
        """End a stream; its user data, None where none of the name runs here."""
        with self._turns:
            stream = self._running.pop((storage.key, name), None)
            if stream is None:
                self._end((storage.key, name), self._unended.get((storage.key, name)))
                return None
            if stream is self._sending:
                # It ends when its message is through, whose outcome is still to be noted.
                stream.is_stopped = True
            else:
                self._end(stream.name, stream)
            return stream.wanted.userdata

    def _end(self, name: tuple[str, str], stream: Stream | None) -> None:
        """Note that a stream was stopped; what can't be noted is logged, and noted later."""
        try:
            self._note_end(name, stream)
        except StoreUnavailable as error:
            if stream is not None:
                self._unended[name] = stream
            logger.warning("that a stream of %s was stopped is not noted yet: %s", name[0], error)

    def _note_end(self, name: tuple[str, str], stream: Stream | None) -> None:
        if stream is not None:
            stream.note()
        epoch = None if stream is None else stream.epoch
        self._store.writer.run(lambda write: end_stream(write, *name, epoch=epoch))
        self._unended.pop(name, None)

    def status(self) -> list[StreamStatus]:
        """How each is doing; raises StoreUnavailable."""
        return [stream.status() for stream in list(self._running.values())]

    def is_sending(self) -> bool:
        """Whether the calling thread is in a formatter or a messenger."""
        return self._sender == threading.get_ident()

    def close(self, close: Callable[[], object]) -> None:
        """Forget all, and `close` what they need, when no message is under way."""
        if self.is_sending():
            raise StreamRefused(
                "a messenger or a formatter can't close its streamer; do that when do_updates has"
                " returned"
            )
        with self._turns:
            self._note_all()
            self._running.clear()
            self._unended.clear()
            close()

    def _note_all(self) -> None:
        """Have noted how far each came, where that could not be done before."""
        try:
            for name, ended in list(self._unended.items()):
                self._note_end(name, ended)
            for stream in self._running.values():
                stream.note()
        except StoreUnavailable as error:
            logger.warning("rows that were sent may be sent again: %s", error)
