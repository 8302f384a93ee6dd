"""The data streamer: rows are stored by many threads, and sent on, from time to time, in order."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NoReturn, Self

from aggregator.errors import StreamerUnusable, StreamRefused
from aggregator.store.engine import Store
from aggregator.store.stream_columns import TIME, shown
from aggregator.store.stream_databases import Place, open_stream_store
from aggregator.store.stream_positions import SetAside, set_aside_rows
from aggregator.store.stream_storages import Storage, make_tables, storing
from aggregator.streams.destinations import Names
from aggregator.streams.messenger import Messenger, SendFunction
from aggregator.streams.pruning import Pruning
from aggregator.streams.retention import Retention
from aggregator.streams.running import RunningStreams
from aggregator.streams.storages import Storages
from aggregator.streams.stream import StreamStatus, row_id
from aggregator.streams.values import plain
from aggregator.streams.wanted import Begin, Formatter, read_start, read_wanted


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
        self._streams = RunningStreams(self._store)
        self._pruning = Pruning(self._store, retention or Retention())

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

    def submit_data(self, table_key: str, timestamp: float, *values: Any) -> Future[int]:
        """As `store_data`, for who must not wait: the number of the row, once it is on the disk.

        It may stay open for as long as the database hangs: wait with a time limit.
        """
        self._require_usable()
        return self._store.writer.submit(storing(self._storages.row(table_key, timestamp, values)))

    def columns(self, table_key: str) -> list[str]:
        """What the values of a row are, in their order: ``time``, and the keys."""
        return [TIME, *(column.name for column in self._storage(table_key).columns)]

    # Streaming.

    def stream(  # noqa: PLR0917 - the arguments of the original, in its order
        self,
        table_key: str | None = None,
        dstnodes: Names = None,
        dstgroups: Names = None,
        dstdocks: Names = None,
        period: float | None = None,
        formatter: Formatter | None = None,
        sqlfilter: str | None = None,
        userdata: Any = None,
        *,
        tablekey: str | None = None,
        sqlfile: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] = (),
        name: str = "",
        start: Begin | None = None,
        batch_size: int = 1000,
        set_aside_after: int | None = None,
        row_ids: bool = False,
    ) -> None:
        """Send the rows of a table from now on, at most every `period` seconds, whenever
        `do_updates` is called.

        `formatter` makes a message of rows and of `userdata`; the messenger is given it with the
        destinations as they are here. `tablekey` is `table_key` as the original has it, and
        `sqlfile` is `sqlfilter`: a condition on the columns, with `parameters` for its ``?`` or
        ``:name``. One table may have streams of several `name`s. `start` says where a stream begins
        that does not run: ``"oldest"`` (as by default), ``"now"``, or seconds since 1970. A message
        has `batch_size` rows at most, each with its id before its time where `row_ids` is set.
        `set_aside_after` is after how many attempts a row is passed over that can't be formatted or
        is refused; by default never.

        A stream that runs, here or in a process that is gone, goes on where it was. Raises
        StorageUnknown, StreamRefused and StoreUnavailable.
        """
        storage = self._storage(_one_of(table_key, tablekey))
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
        self._streams.begin(storage, wanted, read_start(start))

    def do_updates(self, now: float, messenger: Messenger | SendFunction) -> float:
        """Send what is due, and return when to call again, by the clock that `now` is of.

        Whatever a messenger or a formatter raises is logged and tried again; what is sent is sent
        here and nowhere else.
        """
        now = plain(now)
        if isinstance(now, bool) or not isinstance(now, int | float) or not math.isfinite(now):
            raise StreamRefused(f"now must be a number of seconds; given was {shown(now)}")
        self._require_usable()
        return self._streams.send(
            now,
            messenger,
            afterwards=lambda: self._pruning.prune(now, self._storages.all()),
        )

    def stop_stream(self, table_key: str, name: str = "") -> Any:
        """Send nothing more, and return what was given as `userdata`.

        None where no stream of that name runs here; one that another process runs, or has left
        behind, ends all the same. A later `stream` of the name goes on where this one was. Raises
        StorageUnknown.
        """
        return self._streams.stop(self._storage(table_key), name)

    def status(self) -> list[StreamStatus]:
        """How the streams of this process are doing; raises StoreUnavailable."""
        self._require_usable()
        return self._streams.status()

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
        return self._streams.is_sending()

    def close(self) -> None:
        """Wait for what is being stored and sent, and close the database. Safe twice.

        Streams are not stopped by that: they go on where they are when they are streamed again.
        """
        if os.getpid() == self._process:
            self._streams.close(self._finalizer)

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

    def _storage(self, table_key: str | None) -> Storage:
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


def _one_of(table_key: str | None, tablekey: str | None) -> str | None:
    if table_key is not None and tablekey is not None:
        raise StreamRefused("tablekey is another name of table_key; give one of them")
    return tablekey if table_key is None else table_key


def _close(store: Store, process: int) -> None:
    # A child would end the connections of its parent.
    if os.getpid() == process:
        store.close()
