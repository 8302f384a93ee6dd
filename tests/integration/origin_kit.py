"""What tests of origins share: a stored pair, and how measurements are asked for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

import pytest

from aggregator.measurement.metadata_store import contents
from aggregator.measurement.numbers import at
from aggregator.measurement.origins import Asked, Origin
from aggregator.measurement.selecting import Bound, TimeSettings
from aggregator.measurement.stored import StoredData, StoredMetadata
from aggregator.wire.nmwg_names import IPERF_EVENT
from aggregator.wire.parse import parse
from tests.integration.measurement_kit import DECLARED, UTILIZATION

_DATUM = re.compile(r"<(\w+:datum) [^>]*?timeType=[^>]*>")
_ATTRIBUTE = re.compile(r' (\w+)="([^"]*)"')
IPERF = IPERF_EVENT


def rrdtool(*arguments: object) -> None:
    """Run it; skips the test where it is not installed."""
    if shutil.which("rrdtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("rrdtool is not installed on this machine")
        pytest.skip("rrdtool is not installed on this machine")
    subprocess.run(["rrdtool", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def stored(event_type: str = UTILIZATION, **parameters: str) -> tuple[StoredMetadata, StoredData]:
    """A pair of the metadata store, with these parameters in its key."""
    inner = "".join(
        f"<nmwg:parameter name={quoteattr(name)}>{escape(value)}</nmwg:parameter>"
        for name, value in parameters.items()
    )
    root = parse(
        f'<nmwg:store {DECLARED}><nmwg:metadata id="m"><nmwg:eventType>{event_type}'
        '</nmwg:eventType></nmwg:metadata><nmwg:data id="d" metadataIdRef="m"><nmwg:key>'
        f"<nmwg:parameters>{inner}</nmwg:parameters></nmwg:key></nmwg:data></nmwg:store>".encode()
    )
    metadata = contents(root)["m"]
    return metadata, metadata.data[0]


def bound(seconds: int | None, *, is_included: bool = False) -> Bound | None:
    """A bound at seconds since 1970."""
    return None if seconds is None else Bound(at(seconds), is_included, str(seconds), "")


def asking(
    start: int | None = None,
    end: int | None = None,
    *,
    resolution: int = 0,
    function: str = "",
    timeout: float = 20,
) -> Asked:
    """Between these seconds since 1970, both left out, in unix time."""
    return Asked(TimeSettings(bound(start), bound(end), resolution, function), "unix", timeout)


def pieces(origin: Origin, pair: tuple[StoredMetadata, StoredData], asked: Asked) -> str:
    """What an origin tells."""
    found: Iterable[bytes] = origin.data(*pair, asked)
    return b"".join(found).decode()


def data(
    origin: Origin, pair: tuple[StoredMetadata, StoredData], asked: Asked
) -> list[tuple[str, dict[str, str]]]:
    """The data that an origin tells, by the name of their element."""
    text = pieces(origin, pair, asked)
    parse(f"<x>{text}</x>".encode())
    return [(one[1], dict(_ATTRIBUTE.findall(one[0]))) for one in _DATUM.finditer(text)]


def numbers(
    origin: Origin, pair: tuple[StoredMetadata, StoredData], asked: Asked
) -> dict[float, float]:
    """Values by their seconds since 1970."""
    return {float(one["timeValue"]): float(one["value"]) for _, one in data(origin, pair, asked)}
