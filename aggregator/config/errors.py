"""What is said about settings that can't be used."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from aggregator.errors import AggregatorException


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the settings.

    ``source`` is the file, the environment variable or the option that said it, empty where the
    settings as a whole can't be used; ``line`` counts from 1 and is None where there is none;
    ``key`` is the setting's dotted name, empty where the problem is that of the whole source.
    """

    text: str
    _: KW_ONLY
    source: str = ""
    line: int | None = None
    key: str = ""

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.text) if part)


class ConfigurationError(AggregatorException):
    """Raised when the settings can't be used; ``problems`` holds everything found, not the first.

    Its text has one line for each problem.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
