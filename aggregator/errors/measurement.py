"""The errors of measurement archives."""

from __future__ import annotations

from aggregator.errors.core import AggregatorException


class MeasurementError(AggregatorException):
    """Base of the errors of measurement archives."""


class NmwgError(MeasurementError):
    """Raised for what is answered with an error of the NMWG protocol.

    `event_type` is its code, such as error.ma.storage; the message is its text.
    """

    def __init__(self, event_type: str, text: str) -> None:
        super().__init__(text)
        self.event_type = event_type


class MeasurementsUnavailable(MeasurementError):
    """Raised where a database of measurements can't be reached, or can't be read."""


class MeasurementsTooSlow(MeasurementsUnavailable):
    """Raised where a database of measurements took longer than it may."""


class NothingMeasured(MeasurementError):
    """Raised where a database holds no measurements at all, of any test."""


class AddressesUnknown(MeasurementError):
    """Raised where a database knows neither end of a test."""

    def __init__(self, source: str, destination: str) -> None:
        super().__init__(
            f'Id error, found "{source}" for SRC and "{destination}" for DST addresses.'
        )


class MeasurementsRefused(MeasurementError, ValueError):
    """Raised for measurements, or a file of them, that can't be stored; nothing of it was."""
