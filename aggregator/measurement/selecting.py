"""Which times a request asks for: parameters of the metadata and of its key, then each filter's.

A start is replaced by a later one and an end by an earlier one, so filters narrow what is asked
for. A range whose start comes after its end is none, and asks for nothing in particular.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aggregator.measurement.chains import Chain
from aggregator.store.measured_values import Within
from aggregator.wire.nmwg_metadata import KEY, parameter_blocks, value_of
from aggregator.wire.nmwg_names import NMTM
from aggregator.wire.nmwg_times import LATEST, from_iso, from_unix
from aggregator.wire.parse import Element, text_of

_SECOND = 1 << 32
_TIME = f"{{{NMTM}}}time"
_VALUE = f"{{{NMTM}}}value"
_INNER = (_VALUE, f"{{{NMTM}}}start", f"{{{NMTM}}}end")


class Bound(NamedTuple):
    """A start or end: the instant, whether it belongs to the range, and how it was written."""

    instant: int
    is_included: bool
    text: str
    type: str


class TimeSettings(NamedTuple):
    """What a request says of time; `resolution` in seconds, 0 where it says none."""

    start: Bound | None = None
    end: Bound | None = None
    resolution: int = 0
    consolidation: str = ""

    @property
    def within(self) -> Within:
        """The range that is asked for."""
        return Within(
            self.start.instant if self.start else None,
            self.end.instant if self.end else None,
            includes_start=self.start is not None and self.start.is_included,
            includes_end=self.end is not None and self.end.is_included,
        )


def time_settings(chain: Chain) -> TimeSettings:
    """All that a chain says of time."""
    found = TimeSettings()
    for metadata in (chain.metadata, *(one.metadata for one in chain.filters)):
        found = _narrowed(found, _of_blocks(_blocks(metadata)))
    return found


def _blocks(metadata: Element) -> Iterator[Element]:
    yield from parameter_blocks(metadata)
    for key in metadata.iterchildren(KEY):
        yield from parameter_blocks(key)


def _narrowed(known: TimeSettings, further: TimeSettings) -> TimeSettings:
    start, end = known.start, known.end
    if further.start and (start is None or further.start.instant >= start.instant):
        start = further.start
    if further.end and (end is None or further.end.instant <= end.instant):
        end = further.end
    return TimeSettings(
        start,
        end,
        further.resolution or known.resolution,
        further.consolidation or known.consolidation,
    )


def _of_blocks(blocks: Iterable[Element]) -> TimeSettings:
    start = end = None
    resolution, consolidation = 0, ""
    for one in (parameter for block in blocks for parameter in block.iterchildren("*")):
        name = one.get("name", "")
        if name == "resolution":
            text = value_of(one)
            resolution = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
        elif name == "consolidationFunction":
            consolidation = value_of(one)
        elif name == "startTime":
            start = _bound(one) or start
        elif name == "endTime":
            end = _bound(one) or end
        elif name == "time":
            start, end = _of_operator(one, start, end)
    if start and end and start.instant > end.instant:
        start = end = None
    return TimeSettings(start, end, resolution, consolidation)


def _of_operator(
    parameter: Element, start: Bound | None, end: Bound | None
) -> tuple[Bound | None, Bound | None]:
    """`eq` is the whole of that second."""
    operator = parameter.get("operator", "eq").lower()
    bound = _bound(parameter, is_included=operator in ("gte", "lte", "eq"))
    if bound is None:
        return start, end
    if operator in ("gt", "gte"):
        return bound, end
    if operator in ("lt", "lte"):
        return start, bound
    if operator == "eq":
        until = min(bound.instant - bound.instant % _SECOND + _SECOND - 1, LATEST)
        return bound, bound._replace(instant=until)
    return start, end


def _bound(parameter: Element, *, is_included: bool = False) -> Bound | None:
    """The instant that a parameter names; None where it names none that can be read."""
    text, type = _written(parameter)
    instant = from_iso(text) if type == "iso" else from_unix(text)
    return None if instant is None else Bound(instant, is_included, text, parameter.get("type", ""))


def _written(parameter: Element) -> tuple[str, str]:
    """A time's text and type, of the innermost element that says one."""
    type = parameter.get("type", "")
    one = parameter
    for inside in parameter.iterdescendants(_TIME, *_INNER):
        one, type = inside, inside.get("type", type)
    return text_of(one) or one.get("value", "") or value_of(parameter), type.lower() or "unix"
