"""Measures the delays to and from a member's host, and prints them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from aggregator.probes.checks import address, decimal, host_of, read_settings, whole, words_for
from aggregator.probes.delays import BUCKET_WIDTH
from aggregator.probes.misuse import Misuse
from aggregator.probes.nmwg import delay_datum, interval, message, pair
from aggregator.probes.reflecting import RATE, reflect
from aggregator.probes.sending import Plan, Sample, measure

SETTINGS = {
    "packets": whole(1, 10_000),
    "interval": decimal(0.001, 60),
    "port": whole(1, 65535),
    "source": address,
    "timeout": decimal(0.1, 60),
    "padding": whole(0, 8958),
}
REFLECTING = {"rate": whole(1, 1_000_000)}


def run(member: str, given: Sequence[str], program: Path) -> int:
    """Print a sample; 1, and why on standard error, where none can be taken."""
    try:
        host = host_of(member)
        plan = Plan()._replace(**read_settings(words_for(given, program), SETTINGS))
        print(document(measure(host, plan), plan))
    except (Misuse, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_reflector(place: str, given: Sequence[str]) -> int:
    """Reflect until a signal; 1, and why, where that can't be."""
    try:
        rate = read_settings(given, REFLECTING).get("rate", RATE)
        return reflect(place, rate)
    except (Misuse, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def document(sample: Sample, plan: Plan) -> str:
    """A sample as a message: a pair for each direction, under the settings that the plan had."""
    settings = {
        "count": str(plan.packets),
        "bucket_width": str(BUCKET_WIDTH),
        "schedule": interval(plan.interval),
        "timeout": f"{plan.timeout:g}",
        "packet_padding": str(plan.padding),
    }
    there, back = (sample.source, sample.destination), (sample.destination, sample.source)
    directions = (("forward", there, sample.forward), ("backward", back, sample.backward))
    return message(
        "twping-lite",
        [
            pair(
                name,
                "owamp",
                ends,
                settings=settings,
                datum=delay_datum(
                    sample.start, sample.end, one.told(len(sample.sent)), one.buckets()
                ),
            )
            for name, ends, one in directions
        ],
    )
