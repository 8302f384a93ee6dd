"""The calls to a device of ONVIF: subscribe to be asked, pull, and what its clock and login need.

ONVIF Core, on the real-time pull-point notification interface and on authentication; the tokens are
those of the WS-Security user name token profile 1.0.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit
from xml.sax.saxutils import escape

from aggregator.contract import Context
from aggregator.errors import CollectError, RequestError
from aggregator.wire.dialects import (
    CREATE_PULL_SUBSCRIPTION,
    OASIS,
    PULL_MESSAGES,
)
from aggregator.wire.envelope import SOAP12, write_envelope
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import clark
from aggregator.wire.parse import Element, serialise_all
from aggregator.wire.pulling import write_pull_messages, write_pull_subscription
from aggregator.wire.subscribing import Subscribe
from aggregator.wire.times import format_datetime, to_micros

from ._producer import Granted, Way, call, granted, lifetime_of, reference_of
from ._reply import MemberFault, read_response

DEVICE_SERVICE = "/onvif/device_service"
"""The path of the device service, the same on each device (ONVIF Core)."""

_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
#: Bytes that the messages of one answer may come to, each with the namespaces in its scope.
_ROOM = 2**25
_PARTS_OF_TIME = (
    "Date/{*}Year",
    "Date/{*}Month",
    "Date/{*}Day",
    "Time/{*}Hour",
    "Time/{*}Minute",
    "Time/{*}Second",
)
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
_BASE64 = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)


class Pulled(NamedTuple):
    """What a PullMessages brought: messages standing alone, and for how many microseconds more the
    subscription lasts, None where the device does not say."""

    messages: list[bytes]
    lifetime: int | None


def way_to(address: str, *, skew: int, context: Context) -> Way:
    """How to speak to a device: with the login that is configured for the address, if any.

    The device's clock is `skew` microseconds ahead of ours: it takes no token of another time.
    """
    login = context.login(address)
    if login is None:
        return Way(SOAP12)

    def token() -> bytes:
        nonce, created = secrets.token_bytes(16), format_datetime(context.now + skew)
        digest = hashlib.sha1(nonce + created.encode() + login.password.encode()).digest()
        return (
            f'<w:Security xmlns:w="{_WSSE}" xmlns:s="{SOAP12.namespace}" s:mustUnderstand="1">'
            f"<w:UsernameToken><w:Username>{escape(login.user)}</w:Username>"
            f'<w:Password Type="{_PROFILE}#PasswordDigest">{_text(digest)}</w:Password>'
            f'<w:Nonce EncodingType="{_BASE64}">{_text(nonce)}</w:Nonce>'
            f'<u:Created xmlns:u="{_WSU}">{created}</u:Created></w:UsernameToken></w:Security>'
        ).encode()

    return Way(SOAP12, token)


async def create(request: Subscribe, *, skew: int, context: Context) -> Granted:
    """Subscribe; raises NotSpoken where the member may be no such device, else CollectError."""
    address = await _events_address(skew, context)
    # What the member's reference says is for its own address alone.
    member = context.member.epr
    references = member.references if address == member.address else ()
    response = await call(
        CREATE_PULL_SUBSCRIPTION,
        write_pull_subscription(request),
        to=EndpointReference(address, parameters=references),
        dialect=OASIS,
        context=context,
        way=way_to(address, skew=skew, context=context),
    )
    return granted(response, now=context.now)


async def pull(manager: bytes, *, wait: float, most: int, skew: int, context: Context) -> Pulled:
    """What there is, at once or within `wait` seconds."""
    to = reference_of(manager)
    response = await call(
        PULL_MESSAGES,
        write_pull_messages(wait, most),
        to=to,
        dialect=OASIS,
        context=context,
        way=way_to(to.address, skew=skew, context=context),
    )
    return Pulled(messages_of(response), lifetime_of(response, context.now))


def messages_of(response: Element) -> list[bytes]:
    """The NotificationMessages of a response, each with its namespaces."""
    name = clark(OASIS.nt, "NotificationMessage")
    try:
        return list(serialise_all(response.iterchildren(name), limit=_ROOM))
    except RequestError as error:
        raise CollectError(f"the member's answer: {error.message}", code="too-large") from error


async def _events_address(skew: int, context: Context) -> str:
    """Where the member's events are, if its address is that of a device; else that address."""
    address = context.member.epr.address
    if urlsplit(address).path != DEVICE_SERVICE:
        return address
    asked = "<d:Category>Events</d:Category>"
    body = f'<d:GetCapabilities xmlns:d="{_DEVICE}">{asked}</d:GetCapabilities>'
    response = await _ask("GetCapabilities", body, skew=skew, context=context)
    found = response.findtext("{*}Capabilities/{*}Events/{*}XAddr", "").strip()
    if not found:
        raise CollectError("the device has no service for events", code="wrong-content")
    return found


def is_refused(error: CollectError) -> bool:
    """Whether a device does not believe who asks."""
    name = error.name if isinstance(error, MemberFault) else error.message
    return "uthoriz" in name or "uthentic" in name or "HTTP status 401" in name


async def skew_of_clock(context: Context) -> int | None:
    """How far the device's clock is ahead, microseconds; None where it does not say."""
    body = f'<d:GetSystemDateAndTime xmlns:d="{_DEVICE}"/>'
    try:
        response = await _ask("GetSystemDateAndTime", body, skew=None, context=context)
        told = response.find("{*}SystemDateAndTime/{*}UTCDateTime")
        if told is None:
            return None
        year, month, day, hour, minute, second = (
            int(told.findtext(f"{{*}}{name}", "")) for name in _PARTS_OF_TIME
        )
        instant = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return to_micros(instant) - context.now
    except (CollectError, ValueError, OverflowError) as error:
        context.log.info("the device does not tell its time: %s", error)
        return None


async def _ask(name: str, body: str, *, skew: int | None, context: Context) -> Element:
    """The response of the device service; without a token where there is no `skew`."""
    parts = urlsplit(context.member.epr.address)
    address = urlunsplit((parts.scheme, parts.netloc, DEVICE_SERVICE, "", ""))
    way = Way(SOAP12) if skew is None else way_to(address, skew=skew, context=context)
    headers = {"Content-Type": f'{SOAP12.content_type}; action="{_DEVICE}/{name}"'}
    message = write_envelope(SOAP12, body.encode(), headers=way.headers())
    reply = await context.http.post(address, message, headers=headers)
    return read_response(reply, operation=name, dialect=OASIS)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
