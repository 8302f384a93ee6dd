"""Endpoint references in files: what -e reads and -o writes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from aggregator.client.resource import dialect_of
from aggregator.errors import ConfigError, RequestError
from aggregator.wire import namespaces as ns
from aggregator.wire.envelope import XML_DECLARATION
from aggregator.wire.epr import EndpointReference, read_epr, write_epr
from aggregator.wire.parse import parse

_NAMES = tuple(ns.clark(wsa, "EndpointReference") for wsa in ns.WSA_ALL)


def load_epr(path: str) -> EndpointReference:
    """The one EPR in a file: its root, whatever its name, or the root's only child.

    Raises ConfigError, naming the file, where it holds none or several.
    """
    try:
        root = parse(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"the EPR file {path} can't be read: {error.strerror}") from error
    except RequestError as error:
        raise ConfigError(f"the EPR file {path}: {error}") from error
    several = [
        child
        for wsa in ns.WSA_ALL
        for child in root.iterchildren(ns.clark(wsa, "EndpointReference"))
    ]
    if len(several) > 1:
        raise ConfigError(
            f"the EPR file {path} holds {len(several)} endpoint references; leave the one you mean"
        )
    try:
        return read_epr(root)
    except ConfigError as error:
        raise ConfigError(f"the EPR file {path}: {error}") from error


def save_eprs(path: str, eprs: Iterable[EndpointReference]) -> None:
    """Write EPRs to a file, each in its own dialect, replacing it in one step."""
    written = [
        write_epr(epr, name="EndpointReference", namespace=dialect.wsa, dialect=dialect)
        for epr, dialect in ((epr, dialect_of(epr)) for epr in eprs)
    ]
    body = b"\n".join(
        (
            XML_DECLARATION + f'<c:ServiceGroupEntryEPRs xmlns:c="{ns.SGC}">'.encode(),
            *written,
            b"</c:ServiceGroupEntryEPRs>\n",
        )
    )
    target = Path(path)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        half.write_bytes(body)
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise ConfigError(f"the EPRs can't be written to {path}: {error.strerror}") from error
