"""The errors of reports: what a node, a client or an aggregator can't have."""

from __future__ import annotations

from aggregator.errors.core import AggregatorException, ConfigError, RequestError


class ReportRefused(RequestError):
    """Raised when a report or a REQUEST is not taken.

    ``reason`` is a word for programs and metrics: rate, full, size, nodes, pending, unknown;
    ``retry_after`` is in seconds, 0 where it is no use to try again.
    """

    def __init__(self, message: str, *, reason: str = "", retry_after: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class ModuleRefused(ConfigError):
    """Raised for modules that can't be started: not found, twice there, depending in a circle."""


class AggregatorFailed(AggregatorException):
    """Raised when a call of an aggregator brought nothing; ``reason`` is a word for metrics:
    failed (it raised), down (it was not called, since it does not run), hung (it took too long),
    died (its process ended), large (its answer), arguments (the REQUEST lacks one)."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
