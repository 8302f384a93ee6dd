"""A measurement archive as a member of a service group: added, renewed, ended."""

from __future__ import annotations

import hashlib
import logging
import threading
from functools import partial

from lxml import etree

from aggregator.client.resource import Resource
from aggregator.client.soap import CallSettings, SoapClient
from aggregator.errors import AggregatorException
from aggregator.measurement.lookup_service import Service
from aggregator.measurement.registered_keys import RegisteredKey, RegisteredKeys
from aggregator.measurement.registering import END_WITHIN, logged_trouble
from aggregator.registrant.block import RegistrationParameters
from aggregator.registrant.kept import KeptRegistration, Round
from aggregator.registrant.registrar import Registrar
from aggregator.registrant.words import could_not_register
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import OASIS, Dialect
from aggregator.wire.epr import EndpointReference, read_epr, write_epr
from aggregator.wire.nmwg import DATA, MESSAGE, METADATA
from aggregator.wire.nmwg_names import NMWG, NMWGT, PSSERVICE
from aggregator.wire.parse import Limits, parse, serialise

logger = logging.getLogger(__name__)

_REPLIES = Limits(size=2**20, nodes=20_000)
_TIMEOUT = 30.0


def polled_content(*, millis: int, event_types: tuple[str, ...]) -> bytes:
    """The Content of a registration that has the group ask for all metadata that the archive has of
    some event types, with their keys, by the perfsonar source."""
    content = _content()
    block = etree.SubElement(content[0], ns.clark(ns.AGG, "MeasurementPollType"))
    etree.SubElement(block, ns.clark(ns.AGG, "PollIntervalMillis")).text = str(millis)
    message = etree.SubElement(block, MESSAGE, type="MetadataKeyRequest", id="message1")
    metadata = etree.SubElement(message, METADATA, id="metadata1")
    subject = etree.SubElement(metadata, ns.clark(NMWG, "subject"), id="subject1")
    etree.SubElement(subject, ns.clark(NMWGT, "endPointPair"))
    for one in event_types:
        etree.SubElement(metadata, ns.clark(NMWG, "eventType")).text = one
    etree.SubElement(message, DATA, id="data1", metadataIdRef="metadata1")
    return serialise(content)


def plain_content(service: Service) -> bytes:
    """The Content for a plain registry, which polls nobody: what the service is."""
    content = _content()
    element = etree.SubElement(content[1], ns.clark(PSSERVICE, "service"))
    for name, text in (
        ("serviceName", service.name),
        ("accessPoint", service.access_point),
        ("serviceType", service.type),
        ("serviceDescription", service.description),
    ):
        etree.SubElement(element, ns.clark(PSSERVICE, name)).text = text
    return serialise(content)


def _content() -> etree._Element:
    spaces = {"agg": ns.AGG, "nmwg": NMWG, "nmwgt": NMWGT, "psservice": PSSERVICE, "xsi": ns.XSI}
    content = etree.Element("Content", nsmap=spaces)
    content.set(ns.clark(ns.XSI, "type"), "agg:AggregatorContent")
    etree.SubElement(content, ns.clark(ns.AGG, "AggregatorConfig"))
    etree.SubElement(content, ns.clark(ns.AGG, "AggregatorData"))
    return content


class GroupRegistration:
    """An archive in the service group at `group`; a Registration as lookup services have one.

    It is renewed every `interval` seconds by a thread of its own, sooner where the group grants
    little; a group that is away is asked again after 1, 2, 4... seconds. The entry's EPR is kept,
    so that a restart renews the entry that there is.
    """

    def __init__(
        self,
        group: str,
        service: Service,
        *,
        content: bytes,
        interval: float,
        keys: RegisteredKeys,
        client: SoapClient | None = None,
        dialect: Dialect = OASIS,
    ) -> None:
        self._group = group
        self._access_point = service.access_point
        self._keys = keys
        self._checksum = hashlib.sha256(content).hexdigest()
        parameters = RegistrationParameters(
            position=1,
            group=EndpointReference(group, wsa=dialect.wsa),
            member=EndpointReference(service.access_point, wsa=dialect.wsa),
            interval=max(1, round(interval)),
            initial_termination=None,
            content=content,
            dialect=dialect,
        )
        client = client or SoapClient(CallSettings(timeout=_TIMEOUT, limits=_REPLIES))
        self._registrar = Registrar([parameters], open=partial(Resource, client), report=self)
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Add the archive, or renew what is there, from now on."""
        self._thread = threading.Thread(target=self._run, name="archive-registration", daemon=True)
        self._thread.start()

    def keep(self) -> None:
        """Nothing: renewals have their own time. A thread that ended is begun again."""
        if self._thread is None or not self._thread.is_alive():
            self.begin()

    def end(self) -> None:
        """End the entry; one that can't be ended lapses by itself."""
        if self._thread is None:
            return
        with logged_trouble("removed from", self._group):
            self._registrar.stop()
            self._thread.join(END_WITHIN / 2)
            self._registrar.end_all(within=END_WITHIN / 2)
            self._registrar.close()
        self._thread = None

    def good_round(self, kept: KeptRegistration, what: Round) -> None:
        """Keep the EPR of a new entry."""
        if what == "added" and kept.entry is not None:
            logger.info("added the measurement archive to %s", self._group)
            epr = write_epr(
                kept.entry,
                name="EndpointReference",
                namespace=kept.parameters.dialect.wsa,
                dialect=kept.parameters.dialect,
            )
            self._keep(RegisteredKey(epr.decode(), self._checksum))

    def bad_round(self, kept: KeptRegistration, reason: str, *, retry: float | None) -> None:
        """Log it; the waits between them double."""
        logger.warning("%s", could_not_register(kept.parameters, reason, retry=retry))

    def first_round_over(self) -> None:
        """Nothing: good_round told it."""

    def ended(self, kept: KeptRegistration, reason: str) -> None:
        """Forget an entry that is gone."""
        if reason:
            logger.warning(
                "the measurement archive was not removed from %s: %s", self._group, reason
            )
        else:
            self._keys.forget(self._group, self._access_point)

    def _run(self) -> None:
        with logged_trouble("registered with", self._group):
            self._resume()
            self._registrar.keep()

    def _resume(self) -> None:
        """Take up the entry of an earlier life, or end it where other content is wanted now."""
        [registration] = self._registrar.registrations
        kept = self._keys.find(self._group, self._access_point)
        if kept is None or registration.entry is not None:
            return
        try:
            registration.resume(read_epr(parse(kept.key.encode())))
            if kept.checksum != self._checksum:
                registration.end()
        except AggregatorException as error:
            logger.warning("an entry of before in %s can't be gone on with: %s", self._group, error)
            registration.entry = None

    def _keep(self, key: RegisteredKey) -> None:
        self._keys.keep(self._group, self._access_point, key)
