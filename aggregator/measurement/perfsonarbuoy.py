"""The measurement archive under the names that perfSONAR's module gave its methods.

Each is a thin alias of what `MeasurementArchive` does; a subclass may override the hooks
`handleMessageBegin`, `handleMessageEnd` and `handleEvent`, through which every message goes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from aggregator.errors import NmwgError
from aggregator.measurement.archive import MeasurementArchive
from aggregator.measurement.chains import Chain, Filter
from aggregator.measurement.handling import Event
from aggregator.measurement.keying import add_select_parameters
from aggregator.measurement.message import Message, Trigger
from aggregator.measurement.metadata_store import OpenedStore
from aggregator.measurement.output import Output
from aggregator.measurement.selecting import TimeSettings
from aggregator.measurement.stored import StoredData, StoredMetadata
from aggregator.wire.parse import Element

Parameters = Mapping[str, str]


class perfSONARBUOY(MeasurementArchive):
    """perfSONAR_PS::Services::MA::perfSONARBUOY, in Python: a service for a `RequestHandler`.

    Where the original took a named argument, it is a keyword here. A metadata is an lxml element,
    `filters` are `Filter`s from the innermost outwards, `metadatadb` is an opened store. What the
    original answered with an error of the protocol is raised as NmwgError.
    """

    def createStorage(self, metadatadb: object = None) -> bool:
        """Build the metadata store, and the key hash with it; whether anything changed."""
        return self.create_storage()

    def prepareDatabases(
        self, doc: Output | None = None
    ) -> AbstractContextManager[OpenedStore] | None:
        """The opened store; None where it can't be, which `doc` is told of."""
        return self.prepare_databases(doc)

    def needLS(self) -> str:
        """``yes`` or ``no``, as it is configured."""
        return "yes" if self.needs_registration() else "no"

    def registerLS(self, sleep_time: float = 0.0) -> int:
        """Register with all lookup services, then sleep for `sleep_time` seconds.

        -1 where there is nothing to register, else 0: what fails is logged. The service itself does
        so at each `ls_registration_interval`.
        """
        found = self.register()
        time.sleep(max(0.0, sleep_time))
        return found

    def handleMessageBegin(
        self,
        ret_message: Output,
        messageId: str,
        messageType: str,
        msgParams: Parameters,
        request: Element,
        retMessageType: str,
        retMessageNamespaces: Mapping[str | None, str],
    ) -> None:
        """A hook before each message."""

    def handleMessageEnd(self, ret_message: Output, messageId: str) -> None:
        """A hook after each message."""

    def begin(self, message: Message, output: Output) -> None:
        """Call the hook."""
        self.handleMessageBegin(
            ret_message=output,
            messageId=message.id,
            messageType=message.type,
            msgParams=message.parameters,
            request=message.element,
            retMessageType=message.reply_type,
            retMessageNamespaces=dict(message.element.nsmap),
        )

    def end(self, message: Message, output: Output) -> None:
        """Call the hook."""
        self.handleMessageEnd(ret_message=output, messageId=message.id)

    def handle(self, event: Event) -> None:
        """Call the hook that routes it."""
        self.handleEvent(
            output=event.output,
            messageId=event.message.id,
            messageType=event.message.type,
            messageParameters=event.message.parameters,
            eventType=event.event_type,
            subject=event.chain.metadata,
            filterChain=event.chain.filters,
            data=event.trigger.element,
            rawRequest=event.message.element,
            doOutputMetadata=event,
        )

    def handleEvent(
        self,
        output: Output,
        messageId: str,
        messageType: str,
        messageParameters: Parameters,
        eventType: str,
        subject: Element,
        filterChain: Sequence[Filter],
        data: Element,
        rawRequest: Element,
        doOutputMetadata: Event,
    ) -> None:
        """Route on event type and message type."""
        super().handle(doOutputMetadata)

    def maMetadataKeyRequest(
        self,
        output: Output,
        metadata: Element,
        time_settings: TimeSettings | None = None,
        filters: Sequence[Filter] = (),
        request: Element | None = None,
        message_parameters: Parameters | None = None,
    ) -> None:
        """Answer a MetadataKeyRequest for one metadata."""
        self.metadata_key_request(_event(output, metadata, filters, message_parameters))

    def metadataKeyRetrieveKey(
        self,
        metadatadb: OpenedStore,
        key: Element,
        metadata: Element,
        filters: Sequence[Filter],
        request_namespaces: Mapping[str | None, str] | None,
        output: Output,
    ) -> None:
        """Answer with the key that came, cooked."""
        self.key_of_key(metadatadb, key, _event(output, metadata, filters))

    def metadataKeyRetrieveMetadataData(
        self,
        metadatadb: OpenedStore,
        metadata: Element,
        chain: Sequence[Filter],
        id: str,
        request_namespaces: Mapping[str | None, str] | None,
        output: Output,
    ) -> None:
        """Answer with the keys of what matches."""
        self.key_of_metadata(metadatadb, _event(output, metadata, chain))

    def maSetupDataRequest(
        self,
        output: Output,
        md: Element,
        request: Element | None = None,
        message_parameters: Parameters | None = None,
        filters: Sequence[Filter] = (),
    ) -> None:
        """Answer a SetupDataRequest for one metadata."""
        self.setup_data_request(_event(output, md, filters, message_parameters))

    def setupDataRetrieveKey(
        self,
        metadatadb: OpenedStore,
        metadata: Element,
        chain: Sequence[Filter],
        id: str,
        message_parameters: Parameters | None,
        request_namespaces: Mapping[str | None, str] | None,
        output: Output,
    ) -> None:
        """Answer with the data that the metadata's key stands for."""
        event = _event(output, metadata, chain, message_parameters)
        self.data_by_key(metadatadb, event)

    def setupDataRetrieveMetadataData(
        self,
        metadatadb: OpenedStore,
        metadata: Element,
        id: str,
        message_parameters: Parameters | None,
        output: Output,
        filters: Sequence[Filter] = (),
    ) -> None:
        """Answer with the data of what matches."""
        self.data_of_metadata(metadatadb, _event(output, metadata, filters, message_parameters))

    def handleData(
        self,
        id: str,
        data: tuple[StoredMetadata, StoredData],
        output: Output,
        et: Iterable[str] | None = None,
        message_parameters: Parameters | None = None,
    ) -> None:
        """Add the measurements of a stored pair, by the type in its key."""
        self.handle_data(*data, id, _event(output, data[0].element, (), message_parameters))

    def retrieveSQL(
        self,
        d: tuple[StoredMetadata, StoredData] | None,
        mid: str,
        output: Output,
        et: Iterable[str] | None = None,
        message_parameters: Parameters | None = None,
    ) -> None:
        """Add the measurements of a stored pair whose key names a database; raises NmwgError."""
        if d is None:
            raise NmwgError("error.ma.storage", "No data element found.")
        self.handleData(mid, d, output, et, message_parameters)

    def addSelectParameters(self, parameter_block: Element, filters: Iterable[Filter]) -> None:
        """Put the parameters of filters into a block of a key's parameters."""
        add_select_parameters(parameter_block, filters)


def _event(
    output: Output,
    metadata: Element,
    filters: Sequence[Filter],
    message_parameters: Parameters | None = None,
) -> Event:
    chain = Chain(metadata, tuple(filters))
    message = Message("", "", dict(message_parameters or {}), {}, (), metadata)
    return Event(output, message, "", chain, Trigger("", chain.outermost, metadata))
