"""The service of a measurement archive: MetadataKeyRequest and SetupDataRequest."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from aggregator.errors import (
    AddressesUnknown,
    MeasurementsTooSlow,
    MeasurementsUnavailable,
    NmwgError,
    NothingMeasured,
)
from aggregator.measurement.building import FromDatabase, build
from aggregator.measurement.chains import Chain
from aggregator.measurement.handling import Event, RequestHandler
from aggregator.measurement.keying import asked_key, cooked, key_error, key_for, key_of, no_key
from aggregator.measurement.message import Message
from aggregator.measurement.metadata_store import (
    MetadataStore,
    OpenedStore,
    Pair,
    StoreUnreadable,
)
from aggregator.measurement.origins import Asked, NoData, Origin
from aggregator.measurement.output import Output, TimeIsUp, result_datum, written
from aggregator.measurement.registering import Registrations
from aggregator.measurement.selecting import TimeSettings, time_settings
from aggregator.measurement.stored import StoredData, StoredMetadata
from aggregator.measurement.storing import Keep, store_measurements
from aggregator.wire.parse import Element

log = logging.getLogger(__name__)

STORAGE = "error.ma.storage"
METADATA_KEY = "MetadataKeyRequest"
SETUP_DATA = "SetupDataRequest"
METADATA_STORAGE = "MetadataStorageRequest"
_NO_ROWS = "Query returned 0 results"
_NOT_FOUND = "Key error in metadata storage: 'maKey' cannot be found."


@dataclass(slots=True)
class MeasurementArchive:
    """Answers for what the metadata store holds, with measurements from their origins.

    `tests` tells what the metadata store is built from, `static` what is added to it. `origins` are
    by the `type` of stored keys. `keep` keeps what clients store, if they may.
    """

    store: MetadataStore
    origins: Mapping[str, Origin]
    tests: Callable[[], Iterable[FromDatabase]] = field(default=tuple)
    static: Callable[[], Iterable[Element]] = field(default=tuple)
    registers: bool = False
    keep: Keep | None = None
    registrations: Registrations | None = None
    default_resolution: int = 0

    def init(self, handler: RequestHandler) -> None:
        """Take the messages that are handled here."""
        types = (METADATA_KEY, SETUP_DATA)
        for type in (*types, METADATA_STORAGE) if self.keep else types:
            handler.register_message(type, self)

    def create_storage(self) -> bool:
        """Build the metadata store anew from the databases; whether anything changed.

        Raises StoreUnreadable, and what `tests` and `static` do: the store stays as it is then.
        """
        root = build(self.tests())
        root.extend(self.static())
        return self.store.replace(root)

    def prepare_databases(
        self, output: Output | None = None
    ) -> AbstractContextManager[OpenedStore] | None:
        """The metadata store, opened for a request; None where it can't be opened.

        With `output` the error is put into it, as the reply to the request.
        """
        try:
            return self._entered(self.store.opened())
        except StoreUnreadable as error:
            log.error("%s", error)
            if output is not None:
                output.result(STORAGE, str(error), "")
            return None

    @staticmethod
    def _entered(
        opened: AbstractContextManager[OpenedStore],
    ) -> AbstractContextManager[OpenedStore]:
        """The store, open already, which an error of opening must not be told of later."""
        stack = contextlib.ExitStack()
        found = stack.enter_context(opened)

        @contextlib.contextmanager
        def holding() -> Iterator[OpenedStore]:
            with stack:
                yield found

        return holding()

    def all_metadata(self) -> list[Element]:
        """The metadata that are stored; none where the store can't be read."""
        try:
            with self.store.opened() as store:
                return [one.element for one in store.all()]
        except StoreUnreadable as error:
            log.error("%s", error)
            return []

    def register(self) -> int:
        """Make one round of registration; -1 where there is nothing to register, else 0."""
        if not self.all_metadata():
            log.warning("No data to register with LS")
            return -1
        if self.registrations is None:
            log.warning("no lookup service is known that the archive could register with")
        else:
            self.registrations.round()
        return 0

    def needs_registration(self) -> bool:
        """Whether a lookup service has to know of the archive."""
        return self.registers

    def begin(self, message: Message, output: Output) -> None:
        """Nothing is to be done."""

    def end(self, message: Message, output: Output) -> None:
        """Nothing is to be done."""

    def handle(self, event: Event) -> None:
        """Answer one data element by the type of its message; raises NmwgError."""
        event.is_echoed = False
        if event.message.type == METADATA_KEY:
            self.metadata_key_request(event)
        elif event.message.type == SETUP_DATA:
            self.setup_data_request(event)
        elif event.message.type == METADATA_STORAGE and self.keep is not None:
            store_measurements(event, self.keep)
        else:
            raise NmwgError("error.ma.message_type", "Invalid Message Type")

    def metadata_key_request(self, event: Event) -> None:
        """Tell the key of what is asked about."""
        with self._opened() as store:
            key = key_of(event.chain.metadata)
            if key is None:
                self.key_of_metadata(store, event)
            else:
                self.key_of_key(store, key, event)

    def setup_data_request(self, event: Event) -> None:
        """Tell the measurements of what is asked about."""
        with self._opened() as store:
            if key_of(event.chain.metadata) is None:
                self.data_of_metadata(store, event)
            else:
                self.data_by_key(store, event)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[OpenedStore]:
        """The store for one request; it may become unreadable while that is answered."""
        try:
            with self.store.opened() as found:
                yield found
        except StoreUnreadable as error:
            raise NmwgError(STORAGE, str(error)) from error

    def key_of_key(self, store: OpenedStore, key: Element, event: Event) -> None:
        """A key that came, with what filters select put into it; raises NmwgError."""
        self._pair(store, asked_key(key))
        output, chain = event.output, event.chain
        identifier = output.metadata([key], chain.outermost)
        output.data(identifier, [written(cooked(key, chain.filters))])

    def key_of_metadata(self, store: OpenedStore, event: Event) -> None:
        """The keys of all that matches; raises NmwgError."""
        times = time_settings(event.chain)
        for metadata in self._search(store, event.chain):
            identifier = event.output.metadata(metadata.element, metadata.id)
            for data in metadata.data:
                event.output.data(identifier, [written(key_for(data.ma_key, times))])

    def data_by_key(self, store: OpenedStore, event: Event) -> None:
        """The measurements that the metadata's key stands for; raises NmwgError."""
        key = key_of(event.chain.metadata)
        if key is None:
            raise no_key()
        metadata, data = self._pair(store, asked_key(key))
        output, chain = event.output, event.chain
        reference = chain.outermost if chain.filters else key.get("id", "") or chain.id
        identifier = output.metadata([cooked(key, chain.filters)], reference)
        self.handle_data(metadata, data, identifier, event)

    def data_of_metadata(self, store: OpenedStore, event: Event) -> None:
        """The measurements of all that matches; raises NmwgError."""
        for metadata in self._search(store, event.chain):
            identifier = event.output.metadata(metadata.element, event.chain.outermost)
            for data in metadata.data:
                self.handle_data(metadata, data, identifier, event)

    def _search(self, store: OpenedStore, chain: Chain) -> Sequence[StoredMetadata]:
        found = store.search(chain.metadata)
        if not found:
            raise NmwgError(STORAGE, f'Database "{self.store.name}" returned 0 results for search')
        return found

    @staticmethod
    def _pair(store: OpenedStore, asked: str) -> tuple[StoredMetadata, StoredData]:
        pair = store.by_key(asked)
        if pair is None:
            raise key_error(_NOT_FOUND)
        return whole(pair)

    def handle_data(
        self, metadata: StoredMetadata, data: StoredData, identifier: str, event: Event
    ) -> None:
        """Add a data element with measurements, from the origin that the stored key names."""
        output = event.output
        origin = self.origins.get(data.one("type"))
        mark = output.mark()
        try:
            if origin is None:
                raise NoData(f'Database "{data.one("type")}" is not yet supported')
            asked = self._asked(event, time_settings(event.chain))
            output.data(identifier, _some(origin.data(metadata, data, asked)))
        except (NoData, NothingMeasured, AddressesUnknown) as nothing:
            # Of delays the original told no more than that there are none.
            is_told = isinstance(nothing, NoData) or metadata.kind != "owamp"
            output.back_to(mark)
            output.data(identifier, [result_datum(str(nothing) if is_told else _NO_ROWS)])
        except MeasurementsTooSlow as error:
            raise TimeIsUp from error
        except MeasurementsUnavailable as error:
            if output.is_new_trouble(str(error)):
                log.error("%s", error)
            output.back_to(mark)
            text = "Database error, could not complete request."
            output.data(identifier, [result_datum(text)])

    def _asked(self, event: Event, times: TimeSettings) -> Asked:
        wanted = event.message.parameters.get("timeType", "iso").lower()
        time_type = "unix" if wanted == "unix" else "iso"
        timeout = max(0.01, event.output.deadline - time.monotonic())
        return Asked(times, time_type, timeout, self.default_resolution)


def whole(pair: Pair) -> tuple[StoredMetadata, StoredData]:
    """Both of a pair; raises NmwgError for what is gone since the key was noted."""
    if pair.data is None:
        raise key_error(
            "Key error in metadata storage: 'maKey' should exist, but matching data not found in"
            " database."
        )
    if pair.metadata is None:
        raise key_error(
            f"Key error in metadata storage: 'metadataIdRef' {pair.data.metadata_id} should exist,"
            " but matching data not found in database."
        )
    return pair.metadata, pair.data


def _some(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What there is; raises NoData where it is nothing."""
    is_empty = True
    for piece in pieces:
        is_empty = False
        yield piece
    if is_empty:
        raise NoData(_NO_ROWS)
