"""Documents that say what was measured, as measurements to keep.

A document is an nmwg:message: pairs of a metadata with subject, event types and parameters, and a
data element with datum elements, as a measurement archive tells them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from aggregator.errors import MeasurementsRefused
from aggregator.store import measured_writing as writing
from aggregator.store.measured_values import Delay, Kind, MeasuredTest, Throughput
from aggregator.wire.nmwg_metadata import (
    DATA,
    METADATA,
    ends_of,
    event_types,
    parameter_blocks,
    setting_of,
    value_of,
)
from aggregator.wire.nmwg_names import (
    BUCKETS,
    BUCKETS_EVENT,
    BWCTL_EVENT,
    IPERF,
    IPERF_EVENT,
    OWAMP_EVENT,
    SUMMARY,
)
from aggregator.wire.nmwg_times import from_shown
from aggregator.wire.parse import Element

#: The names of settings, in the order in which they are told.
PARAMETERS: Mapping[Kind, tuple[str, ...]] = {
    "bwctl": ("protocol", "windowSize", "bandwidthLimit", "bufferLength", "timeDuration"),
    "owamp": ("count", "bucket_width", "schedule", "DSCP", "timeout", "packet_padding"),
}
_DATUM: Mapping[Kind, tuple[str, ...]] = {
    "bwctl": (f"{{{IPERF}}}datum",),
    "owamp": (f"{{{SUMMARY}}}datum", f"{{{BUCKETS}}}datum"),
}
#: Characters of an address and of a setting.
_LONGEST = 200
_COUNT = re.compile("[0-9]{1,18}", re.ASCII)
_INTERVAL = re.compile(r'<interval type="[a-z]{1,20}">[0-9.eE+-]{1,30}</interval>', re.ASCII)
T = TypeVar("T")


def kind_of(types: Collection[str]) -> Kind | None:
    """What is measured, by its event types; None where that is not known."""
    if OWAMP_EVENT in types or BUCKETS_EVENT in types:
        return "owamp"
    return "bwctl" if BWCTL_EVENT in types or IPERF_EVENT in types else None


def measurements(message: Element) -> list[writing.Prepared]:
    """The measurements in a document, pair by pair; raises MeasurementsRefused for the whole."""
    known = {one.get("id", ""): one for one in message.iterchildren(METADATA)}
    found = []
    for data in message.iterchildren(DATA):
        metadata = known.get(data.get("metadataIdRef", ""))
        if metadata is None:
            raise MeasurementsRefused(
                f"data {data.get('id', '')[:60]!r} belongs to no metadata of the document"
            )
        found.append(measured(metadata, data))
    return found


def measured(metadata: Element, data: Element) -> writing.Prepared:
    """The measurements of a pair, checked; raises MeasurementsRefused."""
    test = described(metadata)
    datums = _datums(data, test.kind)
    if test.kind == "bwctl":
        return writing.throughput(test, [_throughput(one) for one in datums])
    return writing.delays(test, [_delay(one) for one in datums])


def described(metadata: Element) -> MeasuredTest:
    """The test that a metadata describes; raises MeasurementsRefused."""
    kind = kind_of(event_types(metadata))
    if kind is None:
        raise MeasurementsRefused("Its eventTypes are neither of BWCTL or iperf nor of OWAMP.")
    ends = dict(ends_of(metadata))
    for end in ("src", "dst"):
        _check_text(ends.get(end, ""), f"{end} of its endPointPair")
    known = _settings(metadata, kind)
    told = tuple((name, known[name]) for name in PARAMETERS[kind] if known.get(name))
    return MeasuredTest(kind, ends["src"], ends["dst"], told, ())


def _settings(metadata: Element, kind: Kind) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in parameter_blocks(metadata):
        for one in block.iterchildren("{*}parameter"):
            name = one.get("name", "")
            if name in ("eventType", "supportedEventType"):
                continue
            if name not in PARAMETERS[kind]:
                expected = ", ".join(PARAMETERS[kind])
                raise MeasurementsRefused(
                    f"{name[:60]!r} is no parameter of such a test; expected are {expected}."
                )
            value = _interval(one) if len(one) else value_of(one)
            _check_text(value, f"parameter {name}")
            # A setting that is zero is none.
            found[name] = "" if value == "0" else value
    return found


def _interval(parameter: Element) -> str:
    """The element that a schedule's value is, as it is kept."""
    text = setting_of(parameter)
    if len(parameter) != 1 or not _INTERVAL.fullmatch(text):
        raise MeasurementsRefused('A schedule is written <interval type="exp">0.1</interval>.')
    return text


def _check_text(value: str, what: str) -> None:
    if not value or len(value) > _LONGEST or not value.isprintable():
        raise MeasurementsRefused(
            f"{value[:60]!r} is no {what}; expected are 1 to {_LONGEST} printable characters."
        )


def _datums(data: Element, kind: Kind) -> list[Element]:
    found = [one for name in _DATUM[kind] for one in data.iterchildren(name)]
    if not found or len(found) != sum(1 for _ in data.iterchildren("*")):
        expected = " or ".join(_DATUM[kind])
        raise MeasurementsRefused(f"Its data element holds something else than {expected}.")
    return found


def _throughput(datum: Element) -> Throughput:
    return Throughput(
        _instant(datum, "timeValue"),
        _number(datum, "throughput"),
        _number(datum, "jitter"),
        _count(datum, "lost") if datum.get("loss") is None else _count(datum, "loss"),
        _count(datum, "sent"),
    )


def _delay(datum: Element) -> Delay:
    start, end = _instant(datum, "startTime"), _instant(datum, "endTime")
    if end < start:
        raise MeasurementsRefused("A sample ends before it begins: endTime is before startTime.")
    return Delay(
        start,
        end,
        _number(datum, "min_delay"),
        _number(datum, "max_delay"),
        _count(datum, "minTTL"),
        _count(datum, "maxTTL"),
        _count(datum, "sent"),
        _count(datum, "loss"),
        _count(datum, "duplicates"),
        _number(datum, "maxError"),
        tuple(
            (_required(one, "value"), _required(one, "count"))
            for one in datum.iterdescendants("{*}value_bucket")
        ),
    )


def _instant(datum: Element, name: str) -> int:
    text = datum.get(name, "")
    found = from_shown(text, datum.get("timeType", "unix"))
    if found is None:
        raise _wrong(text, name, "a time in the form of its timeType, unix or iso")
    return found


def _number(datum: Element, name: str) -> float | None:
    def real(text: str) -> float:
        # Python's own numbers have underscores, and digits of other scripts.
        if not text.isascii() or "_" in text:
            raise ValueError
        return float(text)

    return _read(datum, name, real, "a number", math.isfinite)


def _count(datum: Element, name: str) -> int | None:
    def whole(text: str) -> int:
        if not _COUNT.fullmatch(text):
            raise ValueError
        return int(text)

    return _read(datum, name, whole, "a whole number", lambda number: number < 2**63)


def _required(bucket: Element, name: str) -> int:
    negative = bucket.get(name, "").startswith("-") and name == "value"
    copied = bucket.get(name, "").removeprefix("-") if negative else bucket.get(name, "")
    if not _COUNT.fullmatch(copied) or int(copied) >= 2**31:
        raise _wrong(bucket.get(name, ""), name, "a whole number")
    return -int(copied) if negative else int(copied)


def _read(
    datum: Element,
    name: str,
    read: Callable[[str], T],
    expected: str,
    is_good: Callable[[T], bool],
) -> T | None:
    text = datum.get(name)
    if text is None:
        return None
    try:
        found = read(text)
    except ValueError:
        raise _wrong(text, name, expected) from None
    if not is_good(found):
        raise _wrong(text, name, expected)
    return found


def _wrong(text: str, name: str, expected: str) -> MeasurementsRefused:
    return MeasurementsRefused(f"{text[:60]!r} is no {name}; expected is {expected}.")
