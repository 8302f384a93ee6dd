"""The message of the NMWG protocol by which an archive of measurements stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from aggregator.probes.checks import family_of
from aggregator.wire.nmwg_names import (
    ACHIEVABLE_EVENT,
    BUCKETS,
    BUCKETS_EVENT,
    IPERF_EVENT,
    OWAMP_EVENT,
    PREFIXES,
)
from aggregator.wire.nmwg_times import shown_unix

NAMESPACES = {**PREFIXES, "summary": BUCKETS}
EVENT_TYPES = {
    "owamp": (OWAMP_EVENT, BUCKETS_EVENT),
    "iperf": (IPERF_EVENT, ACHIEVABLE_EVENT),
}
_USED = ("nmwg", "nmwgt", "iperf", "owamp", "summary")


def message(identifier: str, pairs: Sequence[str]) -> str:
    """The document of a message."""
    declared = "".join(f' xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in _USED)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<nmwg:message type="MetadataStorageRequest" id="{identifier}"{declared}>\n'
        f"{''.join(pairs)}</nmwg:message>"
    )


def pair(
    name: str,
    tool: str,
    ends: tuple[str, str],
    *,
    settings: Mapping[str, str],
    datum: str,
) -> str:
    """A metadata and its data: what `tool` measured between two addresses, with `settings`."""
    points = "".join(
        f"<nmwgt:{end} {_attributes({'type': family_of(address), 'value': address})}/>"
        for end, address in zip(("src", "dst"), ends, strict=True)
    )
    types = "".join(f"<nmwg:eventType>{one}</nmwg:eventType>" for one in EVENT_TYPES[tool])
    told = "".join(
        f'<nmwg:parameter name="{key}">{value}</nmwg:parameter>' for key, value in settings.items()
    )
    return (
        f'<nmwg:metadata id="{name}"><{tool}:subject id="subject.{name}">'
        f"<nmwgt:endPointPair>{points}</nmwgt:endPointPair></{tool}:subject>{types}"
        f'<nmwg:parameters id="parameters.{name}">{told}</nmwg:parameters></nmwg:metadata>\n'
        f'<nmwg:data id="data.{name}" metadataIdRef="{name}">{datum}</nmwg:data>\n'
    )


def delay_datum(
    start: int, end: int, told: Mapping[str, str], buckets: Sequence[tuple[int, int]]
) -> str:
    """A sample of delays; instants in NTP's 64 bits."""
    times = {"timeType": "unix", "startTime": shown_unix(start), "endTime": shown_unix(end)}
    inner = "".join(
        f'<summary:value_bucket value="{value}" count="{count}"/>' for value, count in buckets
    )
    return (
        f"<summary:datum {_attributes({**times, **told})}>"
        f"<summary:value_buckets>{inner}</summary:value_buckets></summary:datum>"
    )


def throughput_datum(instant: int, told: Mapping[str, str]) -> str:
    """A measurement of throughput."""
    times = {"timeType": "unix", "timeValue": shown_unix(instant)}
    return f"<iperf:datum {_attributes({**times, **told})}/>"


def interval(seconds: float) -> str:
    """The element by which a schedule of equal distances is told."""
    return f'<interval type="fixed">{seconds:g}</interval>'


def _attributes(told: Mapping[str, str]) -> str:
    return " ".join(f'{name}="{escape(value)}"' for name, value in told.items())
