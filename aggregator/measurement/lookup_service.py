"""A lookup service of perfSONAR, as those see it who register there (messages of 2008 and 2009)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from aggregator.client.nmwg import NmwgClient
from aggregator.client.soap import CallSettings
from aggregator.errors import RemoteError
from aggregator.wire.namespaces import clark
from aggregator.wire.nmwg import DATA, MESSAGE, METADATA, first_result, key_parameter
from aggregator.wire.nmwg_names import NMWG, PERFSONAR, PSSERVICE
from aggregator.wire.parse import Element, Limits

#: How many metadata one message registers.
CHUNK = 50
#: What a lookup service answers is small.
REPLY_LIMITS = Limits(size=2**20, depth=32, nodes=20_000)
#: Seconds for one message, a connection's included.
TIMEOUT = 30.0
_LONGEST_KEY = 1000
_LEAST_ID, _GREATEST_ID = 1048576, 17825791


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it is registered; `access_point` is its URL."""

    name: str
    access_point: str
    type: str = "MA"
    description: str = ""


class LookupRefused(RemoteError):
    """Raised where a lookup service answered, and not with success."""


class LookupService:
    """The lookup service at `url`.

    Every call raises LookupRefused where it answers with anything but success, and another
    RemoteError where it does not answer as it should.
    """

    def __init__(self, url: str, *, client: NmwgClient | None = None) -> None:
        self.url = url
        self._client = client or NmwgClient(CallSettings(timeout=TIMEOUT, limits=REPLY_LIMITS))

    def register(self, service: Service, metadata: Sequence[Element]) -> str:
        """Register up to CHUNK metadata of a service, beside those that are there; the key under
        which they are, which is the access point where the reply names none."""
        message, about = _message("LSRegisterRequest")
        about.append(_subject(service))
        _add_data(message, about, metadata)
        key = key_parameter(self._call(message), "lsKey")
        good = key.isprintable() and 0 < len(key) <= _LONGEST_KEY
        return key if good else service.access_point

    def keep_alive(self, key: str) -> None:
        """Say that what was registered under a key is still there."""
        self._call(_message_of_key("LSKeepaliveRequest", key))

    def deregister(self, key: str, *, timeout: float = TIMEOUT) -> None:
        """End what was registered under a key, within so many seconds."""
        self._call(_message_of_key("LSDeregisterRequest", key), timeout=timeout)

    def _call(self, message: Element, *, timeout: float = TIMEOUT) -> Element:
        answer = self._client.send(self.url, message, timeout=timeout)
        result = first_result(answer)
        if "success" not in result.event_type:
            raise LookupRefused(
                f"{self.url} answered {message.get('type')} with "
                f"{str(result)[:1000] or 'no event type'}"
            )
        return answer


def chunks(metadata: Sequence[Element]) -> Iterator[Sequence[Element]]:
    """The metadata, as many at once as one message registers."""
    return (metadata[at : at + CHUNK] for at in range(0, len(metadata), CHUNK))


def _message(kind: str) -> tuple[Element, Element]:
    """A message with a metadata, which says whom it is about."""
    spaces = {"nmwg": NMWG, "perfsonar": PERFSONAR, "psservice": PSSERVICE}
    message = etree.Element(MESSAGE, nsmap=spaces)
    message.set("type", kind)
    message.set("id", _new_id("message"))
    about = etree.SubElement(message, METADATA)
    about.set("id", _new_id("metadata"))
    return message, about


def _message_of_key(kind: str, key: str) -> Element:
    message, about = _message(kind)
    element = etree.SubElement(about, clark(NMWG, "key"))
    element.set("id", _new_id("key"))
    parameters = etree.SubElement(element, clark(NMWG, "parameters"))
    parameters.set("id", _new_id("parameters"))
    parameter = etree.SubElement(parameters, clark(NMWG, "parameter"))
    parameter.set("name", "lsKey")
    parameter.text = key
    _add_data(message, about, ())
    return message


def _subject(service: Service) -> Element:
    subject = etree.Element(clark(PERFSONAR, "subject"))
    subject.set("id", _new_id("subject"))
    element = etree.SubElement(subject, clark(PSSERVICE, "service"))
    for name, text in (
        ("serviceName", service.name),
        ("accessPoint", service.access_point),
        ("serviceType", service.type),
        ("serviceDescription", service.description),
    ):
        if text:
            etree.SubElement(element, clark(PSSERVICE, name)).text = text
    return subject


def _add_data(message: Element, about: Element, metadata: Sequence[Element]) -> None:
    """A data for each metadata; where there is none an empty one: what is answered is data."""
    for one in metadata or (None,):
        data = etree.SubElement(message, DATA)
        data.set("id", _new_id("data"))
        data.set("metadataIdRef", about.get("id", ""))
        if one is not None:
            data.append(deepcopy(one))
            data[0].tail = None


def _new_id(kind: str) -> str:
    return f"{kind}.{random.randint(_LEAST_ID, _GREATEST_ID)}"
