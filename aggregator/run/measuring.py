"""The role that builds the metadata store of the measurement archive, and registers the archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aggregator.config import Settings
from aggregator.config.measurement import MeasurementSettings
from aggregator.config.measurement_faults import read_bootstrap
from aggregator.measurement import keeping
from aggregator.measurement.lookup_service import LookupService, Service
from aggregator.measurement.opening import Opened
from aggregator.measurement.registered_keys import RegisteredKeys
from aggregator.measurement.registering import LookupRegistration, Registration, Registrations
from aggregator.registrant.archive_registration import GroupRegistration, polled_content
from aggregator.run.context import RunContext
from aggregator.wire.nmwg_names import (
    ACHIEVABLE_EVENT,
    BUCKETS_EVENT,
    IPERF_EVENT,
    OWAMP_EVENT,
    SUMMARY_EVENT,
)

KEY_FILE = "lsKey.json"
_EVENTS = (IPERF_EVENT, ACHIEVABLE_EVENT, OWAMP_EVENT, SUMMARY_EVENT, BUCKETS_EVENT)


def run(context: RunContext) -> int:
    """Build and register until SIGTERM."""
    return keeping.run(context.settings(), reload=context.settings, places=places_of)


def places_of(settings: Settings, opened: Opened) -> Registrations | None:
    """Where the settings have the archive registered; None for nowhere."""
    given = settings.measurement
    if not given.enable_registration:
        return None
    named = given.ls_key_db
    keys = RegisteredKeys(Path(named) if named else settings.server.data_dir / KEY_FILE)
    service = service_of(given, public_url=settings.server.public_url)
    found: list[Registration] = [
        LookupRegistration(
            service, LookupService(url), metadata=opened.archive.all_metadata, keys=keys
        )
        for url in given.ls_instance or read_bootstrap(given.ls_bootstrap_file)
    ]
    content = polled_content(
        millis=round(given.ls_registration_interval * 1000), event_types=_EVENTS
    )
    interval = given.ls_registration_interval
    found += [
        GroupRegistration(url, service, content=content, interval=interval, keys=keys)
        for url in given.ls_groups
    ]
    return Registrations(found)


def service_of(given: MeasurementSettings, *, public_url: str) -> Service:
    """The archive as it is registered."""
    address = given.service_accesspoint or public_url.rstrip("/") + given.endpoint
    described = given.service_description or " ".join(_described(given))
    return Service(given.service_name, address, given.service_type, described)


def _described(given: MeasurementSettings) -> Iterator[str]:
    yield given.service_name
    if given.site_name:
        yield f"at {given.site_name}"
    if given.site_location:
        yield f"in {given.site_location}"
    if contact := " ".join(filter(None, (given.contact_name, given.contact_email))):
        yield f"(contact: {contact})"
