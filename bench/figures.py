"""What a benchmark has to tell: figures beside their targets, rows of a table, pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and what it should be: at least, or at most, `target`."""

    name: str
    measured: float
    unit: str
    bound: Literal["at least", "at most"]
    target: float

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""
        if self.bound == "at least":
            return self.measured >= self.target
        return self.measured <= self.target


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a picture: points of (x, y)."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of lines; with `log` the x axis is logarithmic."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    log: bool = True


@dataclass(slots=True)
class Result:
    """What came of a benchmark. `missing` names what was left out, and why."""

    name: str
    what: str
    figures: list[Figure] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For programs, and for the page."""
        return asdict(self)


def result_of(found: dict[str, Any]) -> Result:
    """The Result that `as_json` was made of."""
    pictures = [
        Picture(**{**one, "lines": tuple(_line(line) for line in one["lines"])})
        for one in found["pictures"]
    ]
    return Result(
        **{
            **found,
            "figures": [Figure(**one) for one in found["figures"]],
            "columns": tuple(found["columns"]),
            "rows": [tuple(row) for row in found["rows"]],
            "pictures": pictures,
        }
    )


def _line(found: dict[str, Any]) -> Line:
    return Line(found["label"], tuple((x, y) for x, y in found["points"]))
