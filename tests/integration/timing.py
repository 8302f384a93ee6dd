"""How long a good client waits: for bounds against the same client at rest, best of three."""

from __future__ import annotations

import http.client
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Times = list[float]


class Caller:
    """One connection from an address of this host's own, so that it is a caller of its own."""

    def __init__(self, url: str, *, source: str = "127.0.0.1") -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=60, source_address=(source, 0)
        )

    def ask(self, envelope: bytes, *, path: str = "") -> tuple[float, int, bytes]:
        """Seconds that the answer took, its status and its content."""
        began = time.perf_counter()
        self._connection.request("POST", path or self._path, envelope, {"Content-Type": "text/xml"})
        reply = self._connection.getresponse()
        content = reply.read()
        return time.perf_counter() - began, reply.status, content

    def times(
        self,
        envelopes: Sequence[bytes],
        *,
        seconds: float = 0.0,
        at_least: int = 100,
        while_true: Callable[[], bool] = bool,
        pause: float = 0.002,
    ) -> Times:
        """How long answers took, for some seconds, and for as long as something is true."""
        taken: Times = []
        ends = time.monotonic() + seconds
        while len(taken) < at_least or time.monotonic() < ends or while_true():
            took, status, content = self.ask(envelopes[len(taken) % len(envelopes)])
            assert status == 200, content
            taken.append(took)
            time.sleep(pause)
        return taken

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def p99(times: Times) -> float:
    """What 99 of a hundred did not take longer than: the nearest rank."""
    return sorted(times)[math.ceil(len(times) * 0.99) - 1]


@dataclass(slots=True)
class BestOfThree:
    """Tries a measurement until it is within its bound, three times at most."""

    attempt: Callable[[], Sequence[tuple[str, float, float]]]

    def check(self) -> None:
        """`attempt` gives what was measured and its bound, by name."""
        tried = []
        for _ in range(3):
            found = self.attempt()
            if all(measured <= bound for _, measured, bound in found):
                return
            tried.append(
                [
                    f"{name}: {value:.3f} > {bound:.3f}"
                    for name, value, bound in found
                    if value > bound
                ]
            )
        raise AssertionError(f"not within its bounds in three tries: {tried}")
