"""Measurements as data of a reply: the attributes that clients of the field know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from xml.sax.saxutils import quoteattr

from aggregator.store.measured_values import Delay, Throughput
from aggregator.wire.nmwg_names import BUCKETS, IPERF, NMWG, SUMMARY
from aggregator.wire.nmwg_times import shown_iso, shown_unix

#: Measurements in one piece of a reply.
_PIECE = 500
_COUNTS = ("minTTL", "maxTTL", "sent", "loss", "duplicates")
_BUCKET = '<summary:value_bucket value="{}" count="{}"/>'


def throughputs(rows: Iterable[Throughput], *, time_type: str) -> Iterator[bytes]:
    """``iperf:datum``; what is zero or unknown is left out, as it always was."""
    show = _clock(time_type)
    before = f'<iperf:datum xmlns:iperf="{IPERF}" timeType="{time_type}" timeValue="'

    def text(row: Throughput) -> str:
        timestamp, throughput, jitter, lost, sent = row
        shown = f'{before}{show(timestamp)}"'
        if throughput:
            shown += f' throughput="{number(throughput)}"'
        if jitter:
            shown += f' jitter="{number(jitter)}"'
        if lost:
            shown += f' lost="{lost}"'
        if sent:
            shown += f' sent="{sent}"'
        return f"{shown}/>"

    return _pieces(map(text, rows))


def delays(rows: Iterable[Delay], *, time_type: str, buckets: bool) -> Iterator[bytes]:
    """``summary:datum``; what is unknown is left out, what is zero is told."""
    show = _clock(time_type)
    namespace = BUCKETS if buckets else SUMMARY
    before = f'<summary:datum xmlns:summary="{namespace}" timeType="{time_type}" startTime="'

    def text(row: Delay) -> str:
        start, end, least, most, *counts, error, found = row
        shown = f'{before}{show(start)}" endTime="{show(end)}"'
        if least is not None:
            shown += f' min_delay="{number(least)}"'
        if most is not None:
            shown += f' max_delay="{number(most)}"'
        for name, count in zip(_COUNTS, counts, strict=True):
            if count is not None:
                shown += f' {name}="{count}"'
        if error is not None:
            shown += f' maxError="{number(error)}"'
        if not buckets:
            return f"{shown}/>"
        inner = "".join(_BUCKET.format(*one) for one in found)
        return f"{shown}><summary:value_buckets>{inner}</summary:value_buckets></summary:datum>"

    return _pieces(map(text, rows))


def values(
    rows: Iterable[tuple[int, float]], *, time_type: str, units: str = ""
) -> Iterator[bytes]:
    """``nmwg:datum`` with a value, for numbers of which nothing more is known."""
    show = _clock(time_type)
    before = f'<nmwg:datum xmlns:nmwg="{NMWG}" timeType="{time_type}" timeValue="'
    after = f" valueUnits={quoteattr(units)}/>" if units else "/>"
    return _pieces(f'{before}{show(time)}" value="{number(value)}"{after}' for time, value in rows)


def number(value: float) -> str:
    """A number with six digits where these are all of it, as databases of the field show theirs."""
    short = f"{value:.6g}"
    return short if float(short) == value else repr(value)


def _clock(time_type: str) -> Callable[[int], str]:
    return shown_unix if time_type == "unix" else shown_iso


def _pieces(texts: Iterable[str]) -> Iterator[bytes]:
    texts = iter(texts)
    while gathered := list(islice(texts, _PIECE)):
        yield "".join(gathered).encode()
