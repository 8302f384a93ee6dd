"""Ask measurement archives of perfSONAR for what they measured: MeasurementPollType."""

from __future__ import annotations

import asyncio
import re

from aggregator.contract import (
    AggregatorSource,
    Collected,
    ConfigBlock,
    Context,
    Group,
    SourceType,
)
from aggregator.errors import ConfigError
from aggregator.model import Plan
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.nmwg import DATA, HEADERS, MESSAGE, METADATA, wrapped
from aggregator.wire.parse import Element, text_of
from aggregator.wire.times import SECOND, exact_time, to_micros

from ._block import children, only_child, read_address, read_interval
from ._nmwg import read_answer, window_request

NAME = "PerfsonarAggregatorSource"
BLOCK = clark(AGG, "MeasurementPollType")
#: Requests that change nothing where they are sent.
_TYPES = ("SetupDataRequest", "MetadataKeyRequest", "EchoRequest")
#: Bytes of a request, and seconds of a window: a century.
_LARGEST, _LONGEST = 64 * 1024, 100 * 365 * 86_400
_MOST_EVENT_TYPES = 20
#: Bytes of a reply that are read beside the loop: some 10 ms.
_MUCH = 2**17
_END = re.compile(r"[A-Za-z0-9_.:%-]{1,255}", re.ASCII)
_EVENT_TYPE = re.compile(r"[!-~]{1,255}", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)
_KINDS = ("ipv4", "ipv6", "hostname")
_DECLARED = ("Src", "Dst", "EventType", "Window")


class PerfsonarAggregatorSource(AggregatorSource):
    """Polls a measurement archive in the NMWG protocol, over SOAP 1.1.

    What is sent is the message of the block, the same each time, or asks for the data of a path in
    a window that ends now. The reply's metadata and data are published.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read the block and build the request."""
        interval = read_interval(block.element, group=group)
        url = read_address(block)
        messages = list(block.element.iterchildren(MESSAGE))
        declared = [name for name in _DECLARED if children(block.element, name)]
        if len(messages) > 1:
            raise ConfigError(f"given {len(messages)} times; one is sent", element="message")
        if messages and declared:
            raise ConfigError(
                "given beside an nmwg:message, which says all of it; leave one of them out",
                element=declared[0],
            )
        if messages:
            data = {"request": [_request(messages[0])], "window": 0}
        elif declared:
            data = _window(block.element)
        else:
            raise ConfigError(
                "there is neither an nmwg:message to send nor Src, Dst, EventType and Window",
                element="MeasurementPollType",
            )
        return Plan(NAME, interval, {"url": url, **data})

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Ask once."""
        request, window = plan.data["request"], plan.data["window"]
        assert isinstance(request, list)
        assert isinstance(window, int)
        pieces = [str(piece) for piece in request]
        if window:
            now = to_micros(exact_time(context.now)) // SECOND
            pieces = [pieces[0], str(now - window), pieces[1], str(now), pieces[2]]
        body = "".join(pieces).encode()
        reply = await context.http.post(str(plan.data["url"]), body, headers=HEADERS)
        if len(reply.body) > _MUCH:
            # Others are polled meanwhile.
            return Collected(await asyncio.to_thread(read_answer, reply))
        return Collected(read_answer(reply))


def _request(message: Element) -> str:
    """The envelope around a message that can be answered."""
    kind = message.get("type", "")
    if kind not in _TYPES:
        given = f"its type is {kind[:60]!r}" if kind else "it has no type"
        raise ConfigError(f"{given}; expected one of {', '.join(_TYPES)}", element="message")
    known = {one.get("id") for one in message.iterchildren(METADATA)} - {None}
    triggers = list(message.iterchildren(DATA))
    if not triggers:
        raise ConfigError(
            "it has no nmwg:data, so nothing would be answered; add one whose metadataIdRef names "
            "the metadata",
            element="message",
        )
    for data in triggers:
        if data.get("metadataIdRef") not in known:
            raise ConfigError(
                f"the metadataIdRef of a data is {data.get('metadataIdRef', '')[:60]!r}, which is "
                "the id of no metadata of the message",
                element="message",
            )
    request = wrapped(message)
    if len(request) > _LARGEST:
        raise ConfigError(
            f"it has {len(request)} bytes; at most {_LARGEST} are sent at each poll",
            element="message",
        )
    return request.decode()


def _window(block: Element) -> dict[str, object]:
    ends = [
        end
        for element, local in (("Src", "src"), ("Dst", "dst"))
        for end in _end(block, element, local)
    ]
    if not ends:
        raise ConfigError(
            "missing, and Dst too; at least one of them says what path is wanted", element="Src"
        )
    types = [text_of(element) for element in children(block, "EventType")]
    if not 0 < len(types) <= _MOST_EVENT_TYPES:
        raise ConfigError(
            f"given {len(types)} times; one to {_MOST_EVENT_TYPES} are expected, such as "
            "http://ggf.org/ns/nmwg/tools/owamp/2.0",
            element="EventType",
        )
    for one in types:
        if not _EVENT_TYPE.fullmatch(one):
            raise ConfigError(
                f"{one[:60]!r} is no event type such as http://ggf.org/ns/nmwg/tools/owamp/2.0",
                element="EventType",
            )
    text = text_of(only_child(block, "Window"))
    seconds = int(text) if _WHOLE.fullmatch(text) else 0
    if not 0 < seconds <= _LONGEST:
        raise ConfigError(
            f"{text[:40]!r} is no whole number of seconds from 1 to {_LONGEST}", element="Window"
        )
    return {"request": list(window_request(ends, types)), "window": seconds}


def _end(block: Element, name: str, local: str) -> list[tuple[str, str, str]]:
    """An end of the path as the request names it; none where the block leaves it out."""
    if not children(block, name):
        return []
    element = only_child(block, name)
    value, kind = text_of(element), element.get("type", "")
    if not _END.fullmatch(value):
        raise ConfigError(f"{value[:60]!r} is no address and no name of a host", element=name)
    if kind and kind not in _KINDS:
        raise ConfigError(
            f"its type is {kind[:60]!r}; expected one of {', '.join(_KINDS)}, or none for any",
            element=name,
        )
    return [(local, value, kind)]


PLUGIN = SourceType(NAME, (BLOCK,), PerfsonarAggregatorSource())
