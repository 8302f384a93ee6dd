"""A reflector of TWAMP Light that keeps nothing of whom it answers (RFC 5357, appendix I)."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

from aggregator.probes.clock import error_estimate, ntp
from aggregator.probes.datagrams import FAR, Datagram, open_socket, receive
from aggregator.probes.misuse import Misuse
from aggregator.probes.twamp import PORT, may_be_reflected, reflection

#: Answers a second, unless it is said.
RATE = 1000
_PLACE = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+)|([^\[\]]*:[^\[\]]*:[^\[\]]*))(?::([0-9]{1,5}))?")
#: How often the clock is asked how far off it may be, in seconds.
_ASKED_EVERY = 10.0


class Allowance:
    """How many answers may still be given: `rate` a second, and as many at once."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._now = rate, now
        self._left, self._at = rate, now()

    def take(self) -> bool:
        """Whether one more may be given now."""
        now = self._now()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Reflector:
    """Answers packets that come to one address."""

    def __init__(self, place: str, rate: float = RATE) -> None:
        """Bind `place`, an address and a port, and nothing else; Misuse where that can't be."""
        self._socket = _bound(place)
        self._reflectors = {0, PORT, self._socket.getsockname()[1]}
        self._allowance = Allowance(rate)
        self.reflected = self.ignored = 0
        self._error, self._asked = error_estimate(), time.monotonic()

    @property
    def place(self) -> str:
        """Address and port that are bound."""
        host, port, *_ = self._socket.getsockname()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def answer_one(self) -> None:
        """Wait for a packet, and answer it if that is due."""
        try:
            found = receive(self._socket)
        except OSError:
            # What was said of an answer whose sender is gone.
            return
        if self._is_due(found):
            data = self._reflection(found)
            try:
                self._socket.sendto(data, found.sender)
            except OSError:
                self.ignored += 1
            else:
                self.reflected += 1
        else:
            self.ignored += 1

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def _is_due(self, found: Datagram) -> bool:
        # Another reflector is no sender.
        foreign = found.sender[1] not in self._reflectors
        return foreign and may_be_reflected(found.data) and self._allowance.take()

    def _reflection(self, found: Datagram) -> bytes:
        if time.monotonic() - self._asked > _ASKED_EVERY:
            self._error, self._asked = error_estimate(), time.monotonic()
        return reflection(
            found.data,
            received=ntp(found.arrived),
            sent=ntp(time.time_ns()),
            error=self._error,
            ttl=FAR if found.ttl is None else found.ttl,
        )


def reflect(place: str, rate: float = RATE) -> int:
    """Reflect until a signal says that it is enough; say where, and in the end how many."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    reflector = Reflector(place, rate)
    print(f"reflecting on {reflector.place}", flush=True)
    try:
        while True:
            reflector.answer_one()
    except _Stopped:
        print(f"reflected {reflector.reflected}, ignored {reflector.ignored}", flush=True)
    finally:
        reflector.close()
    return 0


class _Stopped(BaseException):
    """A signal came."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stopped


def _bound(place: str) -> socket.socket:
    found = _PLACE.fullmatch(place)
    port = int(found[4] or PORT) if found else 0
    if found is None or port > 65535:
        raise Misuse(f"{place!r} is no ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT")
    host = found[1] or found[2] or found[3]
    try:
        family, *_, bound = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        if bound[0] in {"0.0.0.0", "::"}:
            raise Misuse(f"{place!r} is every address of this machine; name one")
        opened = open_socket(family)
    except (OSError, UnicodeError) as error:
        raise Misuse(f"{place!r} is no address: {error}") from error
    try:
        opened.bind(bound)
    except OSError as error:
        opened.close()
        raise Misuse(f"can't reflect on {place}: {error.strerror}") from error
    return opened
