"""A consumer of notifications that gSOAP makes of our WSDL, as a running program."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.clients.clients import HERE, build, gsoap_missing, linked, programs
from tests.waiting import until


def missing() -> str:
    """What is lacking here for it."""
    return gsoap_missing() or programs("g++")


@dataclass(frozen=True, slots=True)
class GsoapConsumer:
    """A consumer that runs: its address, and the file of what it was told."""

    url: str
    said: Path

    def told(self, count: int) -> list[dict[str, str]]:
        """The notifications, once there are so many."""
        lines = until(lambda: self._lines(count), within=20, what=f"{count} notifications")
        return [json.loads(line) for line in lines]

    def _lines(self, count: int) -> list[str]:
        lines = self.said.read_text().splitlines()[1:]
        return lines if len(lines) >= count else []


@contextlib.contextmanager
def gsoap_consumer(wsdl: str, dialect: str, folder: Path) -> Iterator[GsoapConsumer]:
    """The program for the types of a dialect's WSDL, as long as the block."""
    build(["wsdl2h", "-P", "-o", "service.h", wsdl], folder)
    build(["soapcpp2", "-j", "-S", "-L", "-x", "service.h"], folder)
    flags = ["-DGT4"] if dialect == "gt4" else []
    sources = [str(HERE / "gsoap/consumer.cpp"), "soapC.cpp"]
    sources += ["soapNotificationConsumerSOAPBindingService.cpp", "-lgsoap++"]
    program = linked(["g++", "-O0", "-w", *flags, "-I.", *sources], folder)
    said = folder / "said"
    with said.open("wb") as stream:
        process = subprocess.Popen([program], stdout=stream)
    try:
        port = until(lambda: said.read_text().partition("\n")[0], what="the port of the consumer")
        yield GsoapConsumer(f"http://127.0.0.1:{port}/", said)
    finally:
        process.kill()
        process.wait()
