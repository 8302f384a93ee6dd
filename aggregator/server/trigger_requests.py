"""What is asked of TriggerService, read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from aggregator.errors import (
    ConfigError,
    InvalidModification,
    InvalidPropertyName,
    NotModifiable,
    RequestError,
    ResourceUnknown,
)
from aggregator.server.request import Request
from aggregator.triggers.resource import READ_ONLY, WRITABLE
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GET_DOCUMENT, GET_PROPERTY
from aggregator.wire.parse import Element, text_of
from aggregator.wire.qnames import read_qname

_KEY = ns.clark(ns.TRIGGER_KEY, "TriggerResourceKey")
_MONITORED = frozenset({"MonitoredURL", "monitoredURL"})
_LONGEST_URL = 2048


def monitored(body: Element) -> str:
    """Whom a CreateTrigger asks to watch; raises RequestError for what is no address."""
    found = [
        text_of(child)
        for child in body.iterchildren(tag="*")
        if str(child.tag).rpartition("}")[2] in _MONITORED
    ]
    if len(found) != 1:
        raise RequestError("a CreateTrigger needs one MonitoredURL: whom to watch")
    address = found[0]
    try:
        parts = urlsplit(address)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_url = False
    if not is_url or len(address) > _LONGEST_URL or not address.isprintable() or " " in address:
        raise RequestError(
            f"the MonitoredURL {address[:200]!r} is no http or https address; it must be that of a "
            "member of TriggerRegistrationService"
        )
    return address


def key_of(request: Request) -> str:
    """The trigger's id, from the path or from the header; both must agree where both are there."""
    key = request.target.key
    given = [text_of(header) for header in request.envelope.headers if header.tag == _KEY]
    if key and given and given[0] != key:
        raise ResourceUnknown(f"the path names the trigger {key[:100]!r}, the header another")
    key = key or (given[0] if given else "")
    if not key.isprintable():
        raise unknown_trigger(key)
    return key


def unknown_trigger(key: str) -> ResourceUnknown:
    """The error that tells that there is no such trigger."""
    told = f"there is no trigger {key[:100]!r}" if key else "the address names no trigger"
    return ResourceUnknown(f"{told}; mds-trigger-view tells which there are")


def asked(request: Request) -> list[str]:
    """The Clark names of the properties that are asked for; none for the whole document."""
    if request.operation is GET_DOCUMENT:
        return []
    body = request.envelope.body
    named = [body]
    if request.operation is not GET_PROPERTY:
        named = list(body.iterchildren("{*}ResourceProperty"))
    try:
        names = list(dict.fromkeys(map(read_qname, named)))
    except ConfigError as error:
        raise InvalidPropertyName(str(error)) from error
    if not names:
        raise InvalidPropertyName("the request names no property; it needs one at least")
    return names


def steps_of(body: Element) -> Iterable[tuple[str, str, Sequence[str]]]:
    """What is to be done, in order: Insert, Update or Delete, of which property, to what."""
    for step in body.iterchildren(tag="*"):
        kind = str(step.tag).rpartition("}")[2]
        if kind == "Delete":
            yield kind, _writable(_deleted(step)), ()
            continue
        if kind not in ("Insert", "Update"):
            raise InvalidModification(f"{kind[:100]!r} is none of Insert, Update and Delete")
        values: dict[str, list[str]] = {}
        for element in step.iterchildren(tag="*"):
            name = _writable(str(element.tag).rpartition("}")[2])
            values.setdefault(name, []).append(text_of(element))
        for name, texts in values.items():
            yield kind, name, texts


def _deleted(step: Element) -> str:
    name = step.get("ResourceProperty", "").strip().rpartition(":")[2]
    if not name:
        raise InvalidModification("a Delete names its property in the attribute ResourceProperty")
    return name


def _writable(name: str) -> str:
    if name in WRITABLE:
        return name
    if name in READ_ONLY:
        raise NotModifiable(f"{name} can only be read; {', '.join(WRITABLE)} can be set")
    raise InvalidPropertyName(
        f"{name[:200]!r} is no property of a trigger; it has {', '.join((*WRITABLE, *READ_ONLY))}"
    )
