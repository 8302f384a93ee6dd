"""Sends packets to a reflector, and takes what it reflects: TWAMP Light (RFC 5357, appendix I)."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from aggregator.probes.clock import error_estimate, ntp, seconds_between, seconds_of
from aggregator.probes.datagrams import Datagram, open_socket, receive
from aggregator.probes.delays import Direction
from aggregator.probes.misuse import Misuse
from aggregator.probes.twamp import PORT, SENT, Reflection, packet, read_reflection

#: Different reflections of one packet that are remembered.
_KEPT = 16
#: What the system says of a packet that it never sends.
_NEVER = {errno.EMSGSIZE, errno.EPERM}


class Plan(NamedTuple):
    """What is sent, and how long its reflections are waited for; times in seconds."""

    packets: int = 10
    interval: float = 0.1
    port: int = PORT
    source: str = ""
    timeout: float = 2.0
    padding: int = 30


@dataclass(slots=True)
class Sample:
    """Packets of `octets` that were sent from one address to another, and those that came back."""

    source: str
    destination: str
    octets: int
    error: int
    start: int = 0
    end: int = 0
    sent: list[int] = field(default_factory=list)
    forward: Direction = field(default_factory=Direction)
    backward: Direction = field(default_factory=Direction)
    #: The reflections that came of each packet, to know which way it was doubled.
    answers: dict[int, set[bytes]] = field(default_factory=dict)

    def next_packet(self) -> bytes:
        """The next packet that is sent, with the time of now."""
        number, now = len(self.sent), ntp(time.time_ns())
        self.sent.append(now)
        return packet(number, now, self.error, self.octets - SENT)

    def take(self, found: Datagram) -> None:
        """Note a datagram if it reflects a packet of this sample."""
        one = read_reflection(found.data, asked=self.octets)
        if one is None or one.sequence >= len(self.sent):
            return
        if one.first_sent != self.sent[one.sequence]:
            return
        before = self.answers.setdefault(one.sequence, set())
        if found.data in before:
            self.backward.duplicates += 1
        elif before:
            # The reflector saw the packet twice.
            self.forward.duplicates += 1
        else:
            self._measure(one, ntp(found.arrived), found.ttl)
        if len(before) < _KEPT:
            before.add(found.data)

    def _measure(self, one: Reflection, arrived: int, ttl: int | None) -> None:
        ours, theirs = seconds_of(self.error), seconds_of(one.error)
        both = None if ours is None or theirs is None else ours + theirs
        self.forward.add(seconds_between(one.first_sent, one.received), one.ttl, both)
        self.backward.add(seconds_between(one.sent, arrived), ttl, both)


def measure(host: str, plan: Plan) -> Sample:
    """Send a sample to a host's reflector; Misuse where that can't be done."""
    with connect(host, plan) as opened:
        here, there = opened.getsockname()[0], opened.getpeername()[0]
        sample = Sample(here, there, SENT + plan.padding, error_estimate())
        sample.start = ntp(time.time_ns())
        began = due = time.monotonic()
        for _ in range(plan.packets):
            _take_until(due, opened, sample)
            _send(opened, sample.next_packet())
            due += plan.interval
        last = time.monotonic() + plan.timeout
        while time.monotonic() < last and len(sample.answers) < plan.packets:
            _take_until(last, opened, sample, most=1)
        # What comes twice comes soon.
        _take_until(min(last, time.monotonic() + plan.interval), opened, sample)
        # A clock that is set under way puts no end before its beginning.
        sample.end = sample.start + int((time.monotonic() - began) * 2**32)
        return sample


def connect(host: str, plan: Plan) -> socket.socket:
    """A socket that takes from the reflector alone; Misuse where there is no way to it."""
    numeric = socket.AI_NUMERICHOST
    try:
        family = 0
        if plan.source:
            family, *_, bound = socket.getaddrinfo(
                plan.source, 0, type=socket.SOCK_DGRAM, flags=numeric
            )[0]
        found, *_, place = socket.getaddrinfo(host, plan.port, family, socket.SOCK_DGRAM)[0]
        opened = open_socket(found)
    except (OSError, UnicodeError) as error:
        raise Misuse(f"{host!r} has no address to send to: {_words(error)}") from error
    try:
        if plan.source:
            opened.bind(bound)
        opened.connect(place)
    except OSError as error:
        opened.close()
        source = f" from {plan.source}" if plan.source else ""
        raise Misuse(f"can't send{source} to {place[0]}: {_words(error)}") from error
    opened.setblocking(False)
    return opened


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error)


def _send(opened: socket.socket, data: bytes) -> None:
    """Send a packet; one that the system does not take is lost."""
    for _ in range(2):
        try:
            opened.send(data)
        except OSError as trouble:
            if trouble.errno in _NEVER:
                raise Misuse(f"can't send: {trouble.strerror}") from trouble
            # Maybe the answer to an earlier one, that nobody listens there: it is told but once.
            continue
        return


def _take_until(
    instant: float, opened: socket.socket, sample: Sample, most: int | None = None
) -> None:
    """Take what comes until an instant, or `most` packets."""
    while most is None or most > 0:
        left = instant - time.monotonic()
        ready, _, _ = select.select([opened], [], [], max(0.0, left))
        if not ready:
            return
        # An error tells that nobody listens there, or that a packet was damaged.
        with contextlib.suppress(OSError):
            sample.take(receive(opened))
        most = None if most is None else most - 1
        if left <= 0:
            return
