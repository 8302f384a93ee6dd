"""A WS-Resource as its callers see it: the operations of WSRF and WS-ServiceGroup, typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aggregator.client import bodies
from aggregator.client.soap import SoapClient
from aggregator.errors import ConfigError, RemoteError
from aggregator.wire import dialects as wsrf
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GT4, OASIS, Dialect
from aggregator.wire.epr import EndpointReference, read_epr
from aggregator.wire.parse import Element, text_of
from aggregator.wire.times import parse_datetime

_NIL = ns.clark(ns.XSI, "nil")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What a service granted, by its own clock; an unknown `current` is None.

    ``told`` is False where the reply says nothing of lifetimes (the drafts' Add); otherwise a
    ``termination`` of None is a resource that never ends.
    """

    termination: int | None = None
    current: int | None = None
    told: bool = False

    @property
    def length(self) -> int | None:
        """How long the resource lives from the reply on, in microseconds; None if not known."""
        if self.termination is None or self.current is None:
            return None
        return self.termination - self.current


@dataclass(frozen=True, slots=True)
class Added:
    """The entry that an Add made."""

    entry: EndpointReference
    lifetime: Lifetime


def dialect_of(epr: EndpointReference) -> Dialect:
    """The dialect that goes with the WS-Addressing version in which an EPR is written."""
    return OASIS if epr.wsa == ns.WSA_2005_08 else GT4


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, the dialect in which it is spoken to, and the client that carries the calls.

    Every operation raises RemoteFault where the service answers with a fault, and RemoteError
    where it does not answer as it should. ``timeout`` (seconds) shortens the client's.
    """

    client: SoapClient
    epr: EndpointReference
    dialect: Dialect
    timeout: float | None = None

    def add(self, member: EndpointReference, *, content: bytes, termination: int | None) -> Added:
        """Register `member` in this group with a Content element of any name."""
        body = bodies.add(member, content, termination=termination, dialect=self.dialect)
        reply = self._call(wsrf.ADD, body)
        reference = reply.find(ns.clark(self.dialect.sg, "ServiceGroupEntryReference"))
        try:
            # In the drafts the reply itself is the entry's EPR.
            entry = read_epr(reply if reference is None else reference)
        except ConfigError as error:
            raise RemoteError(f"{self.epr.address} answered Add without an EPR: {error}") from error
        lifetime = self._lifetime(reply, self.dialect.sg, "TerminationTime")
        return Added(entry, lifetime)

    def set_termination_time(self, termination: int | None) -> Lifetime:
        """Ask for another end of this resource; None asks for none."""
        body = bodies.set_termination_time(termination, dialect=self.dialect)
        reply = self._call(wsrf.SET_TERMINATION_TIME, body)
        return self._lifetime(reply, self.dialect.rl, "NewTerminationTime")

    def destroy(self) -> None:
        """End this resource at once."""
        self._call(wsrf.DESTROY, bodies.destroy(dialect=self.dialect))

    def get_property(self, name: str) -> tuple[Element, ...]:
        """The values of one resource property; `name` is a Clark name."""
        body = bodies.get_property(name, dialect=self.dialect)
        return tuple(self._call(wsrf.GET_PROPERTY, body).iterchildren(tag="*"))

    def get_properties(self, names: Sequence[str]) -> tuple[Element, ...]:
        """The values of several resource properties, in the order of the reply."""
        body = bodies.get_properties(names, dialect=self.dialect)
        return tuple(self._call(wsrf.GET_PROPERTIES, body).iterchildren(tag="*"))

    def set_properties(self, values: Mapping[str, Sequence[str]]) -> None:
        """Give resource properties other values, by their Clark names; none deletes one."""
        self._call(wsrf.SET_PROPERTIES, bodies.set_properties(values, dialect=self.dialect))

    def create_trigger(self, monitored: str) -> EndpointReference:
        """Have a TriggerService make a trigger that watches an address."""
        reply = self._call(wsrf.CREATE_TRIGGER, bodies.create_trigger(monitored))
        reference = reply.find(ns.clark(ns.TRIGGER_MORE, "TriggerEPR"))
        if reference is None:
            raise RemoteError(f"{self.epr.address} answered CreateTrigger without an EPR")
        return read_epr(reference)

    def query(
        self,
        expression: str,
        *,
        query_dialect: str = ns.XPATH_1,
        prefixes: Mapping[str, str] | None = None,
    ) -> Element:
        """The reply to QueryResourceProperties: its children and text are the result."""
        body = bodies.query_properties(
            expression, query_dialect=query_dialect, prefixes=prefixes or {}, dialect=self.dialect
        )
        return self._call(wsrf.QUERY_PROPERTIES, body)

    def query_archive(self, asked: bodies.ArchiveQuery) -> Element:
        """The reply to QueryArchive: what was found, and where to go on (`next`)."""
        return self._call(wsrf.QUERY_ARCHIVE, bodies.query_archive(asked))

    def get_document(self) -> Element:
        """The resource property document; in the drafts it is asked for by the query ``/``."""
        if self.dialect.name not in wsrf.GET_DOCUMENT.dialects:
            reply = self.query("/")
        else:
            reply = self._call(wsrf.GET_DOCUMENT, bodies.get_document(dialect=self.dialect))
        document = next(reply.iterchildren(tag="*"), None)
        if document is None:
            raise RemoteError(f"{self.epr.address} answered without a resource property document")
        return document

    def current_time(self) -> int | None:
        """The resource's CurrentTime property; None where the reply holds no usable one."""
        values = self.get_property(ns.clark(self.dialect.rl, "CurrentTime"))
        return _instant(values[0]) if values else None

    def _call(self, operation: wsrf.Operation, body: bytes) -> Element:
        return self.client.call(
            self.epr, operation, body, dialect=self.dialect, timeout=self.timeout
        )

    def _lifetime(self, reply: Element, namespace: str, name: str) -> Lifetime:
        termination = reply.find(ns.clark(namespace, name))
        if termination is None:
            return Lifetime()
        current = reply.find(ns.clark(namespace, "CurrentTime"))
        return Lifetime(
            termination=_instant(termination),
            current=None if current is None else _instant(current),
            told=True,
        )


def _instant(element: Element) -> int | None:
    """The instant that an element holds; None for nil, never, or what is no time."""
    if element.get(_NIL, "").strip() in ("1", "true"):
        return None
    try:
        return parse_datetime(text_of(element))
    except ValueError:
        return None
