"""Settings of collection: polling, where it may go, and probes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from aggregator.config.kinds import (
    Fault,
    Kind,
    Refused,
    choice,
    listing,
    not_a,
    shown,
    text,
    truth,
    whole_number,
)
from aggregator.config.measures import duration, size
from aggregator.config.places import file_name, network
from aggregator.config.setting import setting

T = TypeVar("T")

# Link-local networks, and the addresses at which cloud hosts tell their secrets to any process:
# AWS and GCP over IPv6, Alibaba, Azure. Over IPv4 the first two live in 169.254.0.0/16.
DENIED_NETWORKS = (
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "168.63.129.16/32",
)


@dataclass(frozen=True, slots=True)
class CollectSettings:
    """``[collect]``: durations in seconds, sizes in bytes."""

    timeout: float = setting(30.0, duration(0.1, 3600), "Time one collection may take.")
    connect_timeout: float = setting(
        5.0,
        duration(0.1, 3600),
        "Time to connect to a member; at most collect.timeout.",
    )
    max_response: int = setting(8 * 2**20, size(1024, 2**30), "Largest reply of a member.")
    max_concurrent: int = setting(
        512, whole_number(1, 100_000), "Collections under way at the same time."
    )
    connections_per_host: int = setting(
        8, whole_number(1, 10_000), "Connections to one host at the same time."
    )
    allow_networks: tuple[str, ...] = setting(
        (),
        listing(network()),
        "Networks that members may be polled in. Empty: all but collect.deny_networks.",
    )
    deny_networks: tuple[str, ...] = setting(
        DENIED_NETWORKS,
        listing(network()),
        "Networks that are never polled, even where allowed; link-local and cloud metadata"
        " addresses unless set otherwise.",
    )
    logins: str = setting(
        "",
        file_name(),
        "netrc file with user and password of members that want them: devices of ONVIF. A machine"
        " is a host, for the ports 80 and 443, or host:port. Only its owner may read it. Empty:"
        " none.",
    )
    ca_file: str = setting(
        "",
        file_name(),
        "PEM file of the authorities that vouch for members' certificates. Empty: the system's.",
    )
    verify: bool = setting(True, truth(), "Whether members' certificates are verified.")
    user_agent: str = setting(
        "mds-aggregator",
        text("a text of visible ASCII characters", pattern=r"[\x20-\x7e]*"),
        "User-Agent header of requests to members.",
    )
    housekeeping_interval: float = setting(
        1.0, duration(0.1, 3600), "How often expired entries are removed from the store."
    )
    stale_intervals: int = setting(
        3,
        whole_number(1, 1000),
        "Intervals without new data after which an entry shows an AggregatorError.",
    )
    shards: int = setting(
        64,
        whole_number(1, 4096),
        "Parts into which the entries are divided among collectors; the same on every host.",
        restart=True,
    )
    lease_ttl: float = setting(
        3.0,
        duration(1, 300),
        "Time after which the shards of a silent collector go to another.",
        restart=True,
    )


def _probe_name() -> Kind[str]:
    pattern = r"[^/\x00-\x1f][^\x00-\x1f]*"
    return text("a probe's name, relative to probes.folder", name="names", pattern=pattern)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise not_a(value, "a list of texts")
    if wrong := next((part for part in value if not isinstance(part, str) or "\0" in part), None):
        raise not_a(wrong, "a text")
    return tuple(value)


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise not_a(value, "a list: an executable and its arguments")
    words = _words(value)
    if not os.path.isabs(words[0]):
        raise not_a(words[0], "the absolute path of an executable")
    return words


def _table(
    value: object, expected: str, read: Callable[[object], T], *, marks: str = "._-"
) -> Mapping[str, T]:
    """What `read` makes of each value of a table whose names have letters, digits and `marks`."""
    if not isinstance(value, dict):
        raise not_a(value, expected)
    faults: list[Fault] = []
    taken: dict[str, T] = {}
    for name, one in value.items():
        if not re.fullmatch(f"[A-Za-z0-9][A-Za-z0-9{re.escape(marks)}]*", name):
            told = f"{shown(name)} is not a name of letters, digits, {' '.join(marks)}"
            faults.append(Fault(told, (name,)))
        try:
            taken[name] = read(one)
        except Refused as refused:
            faults += (Fault(fault.text, (name, *fault.below)) for fault in refused.faults)
    if faults:
        raise Refused(*faults)
    return taken


def _commands() -> Kind[Mapping[str, tuple[str, ...]]]:
    """Return the kind of a table that gives a command to each name."""

    def read(value: object) -> Mapping[str, tuple[str, ...]]:
        return _table(value, "a table of names and commands", _command)

    return Kind("table of commands", read, from_text=None)


def _checks() -> Kind[Mapping[str, Mapping[str, tuple[str, ...]]]]:
    """Return the kind of a table that gives each probe its checks, names with words."""

    def checks(value: object) -> Mapping[str, tuple[str, ...]]:
        return _table(value, "a table of checks", _words)

    def read(value: object) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        return _table(value, "a table of probes", checks, marks="._-/+@")

    return Kind("table of checks", read, from_text=None)


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """``[probes]``: which executables run for registrations, and within what bounds."""

    folder: str = setting(
        "",
        file_name(),
        "Folder of the executables that registrations may name; nobody else may be able to"
        " write to it. Empty: the probes that come with the package.",
    )
    allowed: tuple[str, ...] = setting(
        (),
        listing(_probe_name()),
        "Probes that may run, by their names in the folder. Empty: all in the folder.",
    )
    input: str = setting(
        "sequence",
        choice("sequence", "wrapped"),
        "What a probe reads: the endpoint reference and then the AggregatorConfig, as two"
        " documents (sequence), or both in one inputDocument (wrapped).",
    )
    timeout: float = setting(30.0, duration(0.1, 3600), "Time a probe may take before it is ended.")
    max_output: int = setting(2**20, size(1024, 2**30), "Largest output of a probe.")
    memory_limit: int = setting(512 * 2**20, size(16 * 2**20, 2**40), "Memory a probe may use.")
    max_concurrent: int = setting(64, whole_number(1, 10_000), "Probes running at the same time.")
    nagios: Mapping[str, tuple[str, ...]] = setting(
        {},
        _commands(),
        "Checks that the nagios probe may run: a name for each command, its executable by"
        " absolute path.",
    )
    checks: Mapping[str, Mapping[str, tuple[str, ...]]] = setting(
        {},
        _checks(),
        "Checks of other probes: for each probe a table that gives names what the probe is told,"
        " a list of texts.",
    )
