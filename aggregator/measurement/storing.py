"""MetadataStorageRequest: measurements that a client stores, in the form in which they are told.

Each pair of a request is stored whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable

from aggregator.archive.measurements import measured
from aggregator.errors import MeasurementsRefused, NmwgError, StoreUnavailable
from aggregator.measurement.handling import Event
from aggregator.store.measured_writing import Prepared

STORED = "success.ma.added"

Keep = Callable[[Prepared], int]
"""Keeps measurements, on disk when it returns; how many are new. What is there already stays."""


def store_measurements(event: Event, keep: Keep) -> None:
    """Store one pair and say so; raises NmwgError (error.ma.storage) where nothing was stored."""
    if not event.may_store:
        raise _refused(
            "Storing measurements needs a token: send Authorization: Bearer SECRET with one that"
            " the archive knows."
        )
    if event.chain.filters:
        raise _refused("Measurements are stored for a metadata, not for a filter on one.")
    try:
        count = keep(measured(event.chain.metadata, event.trigger.element))
    except (MeasurementsRefused, StoreUnavailable) as error:
        raise _refused(str(error)) from error
    event.output.result(STORED, f"{count} measurements were stored.", event.trigger.metadata_ref)


def _refused(text: str) -> NmwgError:
    return NmwgError("error.ma.storage", text)
