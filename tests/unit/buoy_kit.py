"""What the tests of perfSONAR's module ask of an archive."""

from __future__ import annotations

from aggregator.measurement import perfSONARBUOY
from aggregator.measurement.chains import Chain, Chains
from aggregator.measurement.message import Message, read_message
from aggregator.measurement.output import Output
from aggregator.measurement.output import message as whole
from aggregator.wire.parse import Element, Limits
from tests.measured import (
    UNIX,
    data,
    key,
    message,
    metadata,
    pair,
    parameter,
    reply,
    select,
)

IPERF = "http://ggf.org/ns/nmwg/tools/iperf/2.0"
AFTER = parameter("startTime", str(UNIX))


def read(inner: str, *, type: str = "SetupDataRequest") -> Message:
    return read_message(message(inner, type=type), limits=Limits())


def chain(inner: str, *, ref: str = "m1") -> Chain:
    asked = read(inner + data(ref))
    return Chains(asked).of(asked.triggers[0])


def told(output: Output) -> Element:
    return reply(whole(output, type="Reply", reference=""))


def asked_for() -> str:
    return metadata(subject=pair(), types=[IPERF])


def known_key(archive: perfSONARBUOY) -> str:
    with archive.store.opened() as store:
        return store.all()[0].data[0].ma_key


def by_key(archive: perfSONARBUOY) -> Chain:
    """A key, and a filter on it."""
    inner = metadata(inner=key(known_key(archive)))
    return chain(inner + select("f", "m1", AFTER), ref="f")
