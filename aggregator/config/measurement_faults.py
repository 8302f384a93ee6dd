"""What settings of the measurement archive must be together, and what they name must be there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from aggregator.config.kinds import Refused
from aggregator.config.measurement import MeasurementSettings
from aggregator.config.places import web_address
from aggregator.config.report_tokens import read_report_tokens
from aggregator.config.secrets import read_secret

Fault = tuple[tuple[str, ...], str]
_NEEDING = ("storage", "enable_registration", "databases", "owmesh", "static_store")


def measurement_faults(given: MeasurementSettings, *, public_url: str) -> Iterator[Fault]:
    """What is wrong: the keys at fault, and words."""
    if given.metadata_db_type == "none":
        for key in _NEEDING:
            if getattr(given, key):
                text = f"{key} needs metadata_db_type, which is none; set file or xmldb"
                yield (key, "metadata_db_type"), text
        return
    if not (given.databases or given.owmesh or given.own_tables or given.static_store):
        text = "there is nothing to serve: set databases, owmesh, static_store or own_tables"
        yield ("databases", "metadata_db_type"), text
    yield from _files(given)
    yield from _storage(given)
    yield from _registration(given, public_url=public_url)


def _files(given: MeasurementSettings) -> Iterator[Fault]:
    if given.owmesh and not _is_owmesh(Path(given.owmesh)):
        text = f"{given.owmesh} is neither a folder with owmesh.conf nor that file"
        yield ("owmesh",), text
    if given.rrd_folder and not Path(given.rrd_folder).is_dir():
        yield ("rrd_folder",), f"{given.rrd_folder} is no folder"
    if given.static_store and not os.access(given.static_store, os.R_OK):
        yield ("static_store",), f"{given.static_store} can't be read"
    secrets = [(("databases",), one.password_file) for one in given.databases]
    if given.metadata_db_type == "xmldb":
        if not given.metadata_db_password_file:
            text = "xmldb needs metadata_db_password_file, which is not set"
            yield ("metadata_db_type", "metadata_db_password_file"), text
        secrets.append((("metadata_db_password_file",), given.metadata_db_password_file))
    for keys, name in secrets:
        if name:
            try:
                read_secret(name)
            except ValueError as error:
                yield keys, str(error)


def _is_owmesh(place: Path) -> bool:
    """A folder, or the file in it by its name."""
    return (place / "owmesh.conf").is_file() or (place.name == "owmesh.conf" and place.is_file())


def _storage(given: MeasurementSettings) -> Iterator[Fault]:
    if given.storage and not given.tokens:
        yield ("storage", "tokens"), "storage needs tokens, which is not set"
    if given.tokens:
        try:
            read_report_tokens(given.tokens)
        except ValueError as error:
            yield ("tokens",), str(error)


def _registration(given: MeasurementSettings, *, public_url: str) -> Iterator[Fault]:
    if not given.enable_registration:
        return
    if not (given.ls_instance or given.ls_groups or given.ls_bootstrap_file):
        text = "enable_registration needs ls_instance or ls_groups, which are not set"
        yield ("enable_registration", "ls_instance", "ls_groups"), text
    try:
        read_bootstrap(given.ls_bootstrap_file)
    except ValueError as error:
        yield ("ls_bootstrap_file",), str(error)
    if not given.service_accesspoint and not public_url:
        text = (
            "enable_registration needs service_accesspoint or server.public_url, neither of which"
            " is set"
        )
        yield ("enable_registration", "service_accesspoint"), text


def read_bootstrap(name: str) -> tuple[str, ...]:
    """The addresses in a file, one a line, `#` begins a comment; raises ValueError.

    Without a name there are none.
    """
    if not name:
        return ()
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{name} can't be read: {error}") from None
    found = [line.partition("#")[0].strip() for line in lines]
    kind = web_address()
    try:
        return tuple(kind.read(one) for one in found if one)
    except Refused as refused:
        raise ValueError(f"{name}: {refused}") from None
