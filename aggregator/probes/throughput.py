"""Measures throughput to or from a member's host by iperf3, and prints it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aggregator.probes.checks import (
    address,
    family_of,
    host_of,
    one_of,
    read_settings,
    whole,
    words_for,
)
from aggregator.probes.clock import ntp
from aggregator.probes.misuse import Misuse
from aggregator.probes.nmwg import message, pair, throughput_datum

PROGRAM = "iperf3"
#: Seconds to connect, and those that iperf3 may take longer than it measures.
_CONNECT, _LONGER = 5, 10
SETTINGS = {
    "protocol": one_of("tcp", "udp"),
    "duration": whole(1, 3600),
    "port": whole(1, 65535),
    "bandwidth": whole(1, 10**12),
    "window": whole(1, 2**31 - 1),
    "length": whole(16, 2**20),
    "reverse": one_of("yes", "no"),
    "source": address,
}


class Plan(NamedTuple):
    """How it is measured: seconds, bit/s, octets; 0 is what iperf3 takes by itself."""

    protocol: str = "tcp"
    duration: int = 5
    port: int = 5201
    bandwidth: int = 0
    window: int = 0
    length: int = 0
    reverse: str = "no"
    source: str = ""

    @property
    def limit(self) -> int:
        """The limit of bandwidth: of UDP there always is one."""
        return self.bandwidth or (10**6 if self.protocol == "udp" else 0)

    def command(self, host: str) -> list[str]:
        """The arguments of iperf3."""
        words = ["-c", host, "-J", "-i", "0", "-t", str(self.duration), "-p", str(self.port)]
        words += ["--connect-timeout", str(_CONNECT * 1000)]
        words += ["-u"] if self.protocol == "udp" else []
        words += ["-R"] if self.reverse == "yes" else []
        for option, value in (("-b", self.limit), ("-w", self.window), ("-l", self.length)):
            words += [option, str(value)] if value else []
        return [*words, "-B", self.source] if self.source else words

    def told(self) -> dict[str, str]:
        """The settings by the names that archives have for them; what is not set is none."""
        found = {
            "protocol": self.protocol.upper(),
            "windowSize": self.window,
            "bandwidthLimit": self.limit,
            "bufferLength": self.length,
            "timeDuration": self.duration,
        }
        return {name: str(value) for name, value in found.items() if value}


def run(member: str, given: Sequence[str], program: Path) -> int:
    """Print a measurement; 1, and why on standard error, where there is none."""
    try:
        host = host_of(member)
        plan = Plan()._replace(**read_settings(words_for(given, program), SETTINGS))
        instant = ntp(time.time_ns())
        print(document(measured(host, plan), plan, instant))
    except (Misuse, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measured(host: str, plan: Plan) -> Mapping[str, Any]:
    """What iperf3 says that it measured; Misuse with its own words where it could not."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise Misuse(f"there is no program {PROGRAM!r} in PATH; install {PROGRAM}")
    most = plan.duration + _CONNECT + _LONGER
    try:
        done = subprocess.run(
            [found, *plan.command(host)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=most,
        )
    except subprocess.TimeoutExpired:
        raise Misuse(f"{PROGRAM} did not end within {most} s") from None
    try:
        result = json.loads(done.stdout)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        said = (done.stderr or done.stdout).decode(errors="replace")
        raise Misuse(f"{PROGRAM}: {_line(said) or f'it ended with {done.returncode}'}")
    # It tells of failures in the document, and then ends with 0 at times.
    if result.get("error") or done.returncode:
        why = result.get("error") or f"it ended with {done.returncode}"
        raise Misuse(f"{PROGRAM}: {_line(str(why))}")
    return result


def document(result: Mapping[str, Any], plan: Plan, instant: int) -> str:
    """What iperf3 measured as a message: from where, to where, and how much arrived."""
    try:
        connection = result["start"]["connected"][0]
        ends = str(connection["local_host"]), str(connection["remote_host"])
        told = _udp(result["end"]) if plan.protocol == "udp" else _tcp(result["end"])
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise Misuse(f"{PROGRAM} left out what was measured ({error!r})") from error
    if not all(family_of(end) for end in ends):
        raise Misuse(f"{PROGRAM} measured between {' and '.join(ends)!r}, which are no addresses")
    datum = throughput_datum(instant, told)
    source, destination = reversed(ends) if plan.reverse == "yes" else ends
    measurement = pair(
        "throughput", "iperf", (source, destination), settings=plan.told(), datum=datum
    )
    return message("iperf3-throughput", [measurement])


def _tcp(end: Mapping[str, Any]) -> dict[str, str]:
    return {"throughput": _number(end["sum_received"]["bits_per_second"])}


def _udp(end: Mapping[str, Any]) -> dict[str, str]:
    """The sum of a UDP test; an iperf3 before 3.7 tells only what was sent, and what was lost."""
    all = end["sum"]
    lost, sent = int(all["lost_packets"]), int(all["packets"])
    if received := end.get("sum_received"):
        rate = received["bits_per_second"]
    else:
        rate = all["bits_per_second"] * (sent - lost) / sent
    told = {"throughput": _number(rate), "jitter": _number(all["jitter_ms"])}
    # Packets that came twice or late may be more than were lost.
    return told | {"lost": str(max(0, lost)), "sent": str(max(0, sent))}


def _number(value: float) -> str:
    if not isinstance(value, int | float) or not 0 <= value < 1e18:
        raise Misuse(f"{PROGRAM} measured {value!r}, which is no measurement")
    return repr(float(value))


def _line(text: str) -> str:
    """Text as one line that may be shown."""
    words = " ".join(text.split())
    return "".join(one for one in words if one.isprintable())[:300]
