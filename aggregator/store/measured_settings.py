"""The settings of tests as they are told: which, in which order, with which texts.

Those that are zero, empty or absent are left out. Numbers with a fraction are kept in single
precision by most databases of measurements, and are shown to six digits, as MySQL shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

Parameters = tuple[tuple[str, str], ...]
Number = int | float | Decimal | None

#: Columns of a TESTSPEC table that settings are made of, in the order in which they are given.
THROUGHPUT_COLUMNS = ("udp", "window_size", "udp_bandwidth", "len_buffer", "duration")
DELAY_COLUMNS = (
    "num_session_packets",
    "bucket_width",
    "wait_interval",
    "dscp",
    "loss_timeout",
    "packet_padding",
)


def throughput_parameters(row: Sequence[Number]) -> Parameters:
    """The settings of a test by BWCTL, from its columns."""
    udp, window_size, udp_bandwidth, len_buffer, duration = row
    return (
        ("protocol", "UDP" if udp else "TCP"),
        *_told("windowSize", window_size),
        *_told("bandwidthLimit", udp_bandwidth),
        *_told("bufferLength", len_buffer),
        *_told("timeDuration", duration),
    )


def delay_parameters(row: Sequence[Number]) -> Parameters:
    """The settings of a test by OWAMP, from its columns; that of `schedule` is XML."""
    count, bucket_width, wait_interval, dscp, loss_timeout, packet_padding = row
    schedule = _told("schedule", wait_interval)
    return (
        *_told("count", count),
        *_told("bucket_width", bucket_width),
        *((name, f'<interval type="exp">{value}</interval>') for name, value in schedule),
        *_told("DSCP", dscp),
        *_told("timeout", loss_timeout),
        *_told("packet_padding", packet_padding),
    )


def _told(name: str, value: Number) -> Parameters:
    return ((name, shown(value)),) if value else ()


def shown(value: int | float | Decimal) -> str:
    """A number as it is told: no exponent, no zeros at the end."""
    if value == int(value):
        return str(int(value))
    return f"{Decimal(f'{value:.6g}'):f}".rstrip("0").rstrip(".")
