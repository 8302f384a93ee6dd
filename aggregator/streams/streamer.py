"""The data streamer: rows are stored by many threads, and sent on, from time to time, in order."""

from __future__ import annotations

import logging
import math
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

from aggregator.errors import StoreUnavailable, StreamerUnusable, StreamRefused
from aggregator.store.committer import Job
from aggregator.store.engine import Store
from aggregator.store.stream_columns import TIME, shown
from aggregator.store.stream_databases import Place, open_stream_store
from aggregator.store.stream_positions import (
    SetAside,
    Start,
    end_stream,
    set_aside_rows,
    take_stream,
)
from aggregator.store.stream_reading import row_before
from aggregator.store.stream_storages import Storage, make_tables, storing
from aggregator.streams.destinations import Names
from aggregator.streams.messenger import Messenger, SendFunction
from aggregator.streams.pruning import Pruning
from aggregator.streams.retention import Retention
from aggregator.streams.storages import Storages
from aggregator.streams.stream import Stream, StreamStatus, row_id
from aggregator.streams.wanted import Begin, Formatter, read_start, read_wanted

logger = logging.getLogger(__name__)

#: Seconds after which it should be asked again that has no stream.
IDLE = 1.0


class SqliteDataStreamer:
    """Stores rows in tables, and streams what is stored. May be used by any number of threads.

    `sqlitename` is a file, ``:memory:``, or an URL of SQLAlchemy, which may be given as `url` as
    well. `threadHack` is taken and says nothing: whichever thread may store and send. `timeout` is
    how many seconds the database is waited for. `retention` says what is removed, by default
    nothing.

    Raises StreamRefused and StoreUnavailable. It belongs to the process that made it.
    """

    def __init__(
        self,
        sqlitename: Place | None = None,
        threadHack: bool = False,
        *,
        url: Place | None = None,
        retention: Retention | None = None,
        timeout: float = 5.0,
    ) -> None:
        if (sqlitename is None) == (url is None):
            raise StreamRefused("give either sqlitename, a file or :memory:, or url")
        if not (timeout > 0 and math.isfinite(timeout)):
            raise StreamRefused(f"timeout must be above zero, in seconds; given was {timeout!r}")
        place = url if sqlitename is None else sqlitename
        assert place is not None
        self._store = open_stream_store(place, timeout=timeout)
        # Where nobody closes it.
        self._finalizer = weakref.finalize(self, _close, self._store, os.getpid())
        try:
            make_tables(self._store)
        except BaseException:
            self._finalizer()
            raise
        self._process = os.getpid()
        self._storages = Storages(self._store)
        self._streams: dict[tuple[str, str], Stream] = {}
        self._pruning = Pruning(self._store, retention or Retention())
        # Held while something is sent; the sender itself may stop a stream, or ask again.
        self._updating = threading.RLock()
        self._sender: int | None = None

    # Storing.

    def add_storage(self, table_key: str, keys: Sequence[str], types: Sequence[str]) -> None:
        """Have a table there with a column ``time`` and these columns, of these SQL types.

        One that is there already, with the same columns, is gone on with. Raises StreamRefused for
        names and types that can't be, or where a table of that name is something else.
        """
        self._require_usable()
        self._storages.add(table_key, keys, types)

    def store_data(self, table_key: str, timestamp: float, *values: Any) -> str:
        """Store a row, its values in the order of the keys; returns its id once it is on the disk.

        Raises StreamValueError for values that don't fit, and StoreUnavailable where the database
        did not answer in time: nothing was stored then, unless the text says that it is in doubt.
        """
        self._require_usable()
        row = self._storages.row(table_key, timestamp, values)
        return row_id(row.storage, self._store.writer.run(storing(row)))

    def submit_data(self, table_key: str, timestamp: float, *values: Any) -> Job:
        """As `store_data`, for who must not wait: the job's future ends when it is on the disk."""
        self._require_usable()
        return self._store.writer.start(storing(self._storages.row(table_key, timestamp, values)))

    def columns(self, table_key: str) -> list[str]:
        """What the values of a row are, in their order: ``time``, and the keys."""
        return [TIME, *(column.name for column in self._storage(table_key).columns)]

    # Streaming.

    def stream(  # noqa: PLR0917 - the arguments of the original, in its order
        self,
        table_key: str,
        dstnodes: Names,
        dstgroups: Names,
        dstdocks: Names,
        period: float,
        formatter: Formatter,
        sqlfilter: str | None = None,
        userdata: Any = None,
        *,
        sqlfile: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] = (),
        name: str = "",
        start: Begin | None = None,
        batch_size: int = 1000,
        set_aside_after: int | None = None,
        row_ids: bool = False,
    ) -> None:
        """Send the rows of a table from now on, at most every `period` seconds, whenever
        `do_updates` is called; see docs/streams.md for all of it.

        Raises StorageUnknown, StreamRefused and StoreUnavailable.
        """
        storage = self._storage(table_key)
        wanted = read_wanted(
            storage,
            to=(dstnodes, dstgroups, dstdocks),
            period=period,
            formatter=formatter,
            filters=(sqlfilter, sqlfile),
            parameters=parameters,
            userdata=userdata,
            name=name,
            batch_size=batch_size,
            set_aside_after=set_aside_after,
            row_ids=row_ids,
        )
        begins = read_start(start)
        with self._updating:
            after = self._after(storage, begins)
            self._note_progress(storage.key, name)
            position = self._store.writer.run(
                lambda write: take_stream(write, storage, name, start=after, condition=wanted.mark)
            )
            self._streams[storage.key, name] = Stream(self._store, storage, wanted, position)

    def do_updates(self, now: float, messenger: Messenger | SendFunction) -> float:
        """Send what is due, and return when to call again, by the clock that `now` is of.

        Whatever a messenger or a formatter raises is logged and tried again; what is sent is sent
        here and nowhere else.
        """
        if isinstance(now, bool) or not isinstance(now, int | float) or not math.isfinite(now):
            raise StreamRefused(f"now must be a number of seconds; given was {shown(now)}")
        self._require_usable()
        with self._updating:
            if self._sender is not None:
                # A messenger or a formatter that asks itself.
                return self._next(now)
            self._sender = threading.get_ident()
            try:
                for stream in list(self._streams.values()):
                    # One before it may have stopped it.
                    if self._streams.get((stream.storage.key, stream.wanted.name)) is stream:
                        stream.turn(now, messenger)
                self._pruning.prune(now, self._storages.all())
            finally:
                self._sender = None
            return self._next(now)

    def stop_stream(self, table_key: str, name: str = "") -> Any:
        """Send nothing more, and return what was given as `userdata`.

        None where no stream of that name runs. A later `stream` of the name goes on where this one
        was. Raises StorageUnknown.
        """
        storage = self._storage(table_key)
        with self._updating:
            stream = self._streams.pop((storage.key, name), None)
            epoch = None if stream is None else stream.epoch
            try:
                if stream is not None:
                    stream.note()
                self._store.writer.run(
                    lambda write: end_stream(write, storage.key, name, epoch=epoch)
                )
            except StoreUnavailable as error:
                logger.warning("that a stream of %s was stopped is not noted: %s", table_key, error)
            return None if stream is None else stream.wanted.userdata

    def status(self) -> list[StreamStatus]:
        """How the streams of this process are doing; raises StoreUnavailable."""
        self._require_usable()
        return [stream.status() for stream in list(self._streams.values())]

    @property
    def lost_rows(self) -> int:
        """How many rows the retention removed though a stream had not sent them."""
        return self._pruning.lost

    def set_aside(self, table_key: str, name: str = "") -> list[SetAside]:
        """The rows that a stream had to go on without, and why; raises StoreUnavailable."""
        storage = self._storage(table_key)
        return self._store.query(lambda connection: set_aside_rows(connection, storage.key, name))

    def is_sending(self) -> bool:
        """Whether the calling thread sends at this moment: is in a formatter or a messenger."""
        return self._sender == threading.get_ident()

    def close(self) -> None:
        """Wait for what is being stored and sent, and close the database. Safe twice.

        Streams are not stopped by that: they go on where they are when they are streamed again.
        """
        if os.getpid() == self._process:
            with self._updating:
                self._streams.clear()
                self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a streamer can't be pickled: make one in each process, of the same database"
        )

    # The names of the original.

    def addStorage(self, tablekey: str, keys: Sequence[str], types: Sequence[str]) -> None:
        """See `add_storage`."""
        self.add_storage(tablekey, keys, types)

    def storeData(self, tablekey: str, timestamp: float, *values: Any) -> str:
        """See `store_data`."""
        return self.store_data(tablekey, timestamp, *values)

    def doUpdates(self, now: float, messenger: Messenger | SendFunction) -> float:
        """See `do_updates`."""
        return self.do_updates(now, messenger)

    def stopStream(self, tablekey: str, name: str = "") -> Any:
        """See `stop_stream`."""
        return self.stop_stream(tablekey, name)

    def _after(self, storage: Storage, start: Begin | None) -> Start | None:
        if not isinstance(start, float):
            return start
        return self._store.query(lambda connection: row_before(connection, storage, start))

    def _note_progress(self, table_key: str, name: str) -> None:
        """Have it noted how far a stream came that is about to be another one."""
        stream = self._streams.get((table_key, name))
        if stream is not None:
            stream.note()

    def _next(self, now: float) -> float:
        waiting = [stream.due for stream in self._streams.values() if not stream.taken_over]
        if not waiting:
            return now + IDLE
        return min(now if due is None else due for due in waiting)

    def _storage(self, table_key: str) -> Storage:
        self._require_usable()
        return self._storages.of(table_key)

    def _require_usable(self) -> None:
        if os.getpid() != self._process:
            raise StreamerUnusable(
                f"the streamer was made by process {self._process}, before a fork: make one in each"
                " process, of the same database"
            )
        if not self._finalizer.alive:
            raise StreamerUnusable("the streamer was closed; make another one")


def _close(store: Store, process: int) -> None:
    # A child would end the connections of its parent.
    if os.getpid() == process:
        store.close()
