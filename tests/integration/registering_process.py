"""An archive that registers itself, in a process of its own, so that it can be killed.

    python -m tests.integration.registering_process JSON

After each round it prints a line; on each line of standard input it makes a round, or ends what is
registered where that says end, or takes the number that it says as its number of metadata.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lxml import etree

from aggregator.client.nmwg import NmwgClient
from aggregator.client.soap import CallSettings
from aggregator.measurement.lookup_service import REPLY_LIMITS, LookupService, Service
from aggregator.measurement.registered_keys import RegisteredKeys
from aggregator.measurement.registering import LookupRegistration, Registration, Registrations
from aggregator.registrant.archive_registration import (
    GroupRegistration,
    plain_content,
    polled_content,
)
from aggregator.wire.dialects import DIALECTS
from aggregator.wire.nmwg import METADATA

ACCESS_POINT = "http://archive.example.org:8085/perfSONAR_PS/services/pSB"
OWAMP = "http://ggf.org/ns/nmwg/tools/owamp/2.0"


def _metadata(count: int) -> Iterator[etree._Element]:
    for number in range(count):
        element = etree.Element(METADATA, id=f"metadata-{number}")
        etree.SubElement(element, "{urn:p}path").text = str(number)
        yield element


def _registrations(given: dict[str, Any], count: list[int]) -> list[Registration]:
    keys = RegisteredKeys(Path(given["keys"]))
    service = Service("A buoy", given["access_point"], description="for tests <&>")
    found: list[Registration] = []
    for url in given["lookup"]:
        client = NmwgClient(CallSettings(timeout=given["timeout"], limits=REPLY_LIMITS))
        lookup = LookupService(url, client=client)
        found.append(
            LookupRegistration(service, lookup, metadata=lambda: _metadata(count[0]), keys=keys)
        )
    for url in given["groups"]:
        content = plain_content(service)
        if given["polled"]:
            content = polled_content(millis=200, event_types=(given["event_type"],))
        dialect = DIALECTS[given["dialect"]]
        found.append(
            GroupRegistration(
                url,
                service,
                content=content,
                interval=given["interval"],
                keys=keys,
                dialect=dialect,
            )
        )
    return found


def _main() -> None:
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(message)s")
    given = json.loads(sys.argv[1])
    count = [given["count"]]
    registrations = Registrations(_registrations(given, count))
    registrations.round()
    print("done", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            registrations.end()
        else:
            count[0] = int(line.strip() or count[0])
            registrations.round()
        print("done", flush=True)


class RegisteringProcess:
    """The process; `log` is what it logged."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def round(self, what: str = "") -> None:
        """Have it make a round."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        self.wait()

    def wait(self) -> None:
        """Until a round is over."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n", self.log

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)


def kept(folder: Path) -> list[dict[str, str]]:
    """What the file of keys holds."""
    rows: list[dict[str, str]] = json.loads((folder / "lsKey.json").read_text())["registered"]
    return rows


@contextmanager
def registering(folder: Path, **given: Any) -> Iterator[RegisteringProcess]:
    """The process after its first round, as long as the block."""
    given = {
        "keys": str(folder / "lsKey.json"),
        "access_point": ACCESS_POINT,
        "lookup": [],
        "groups": [],
        "count": 3,
        "timeout": 20,
        "interval": 600,
        "polled": False,
        "dialect": "oasis",
        "event_type": OWAMP,
    } | given
    command = [sys.executable, "-m", "tests.integration.registering_process", json.dumps(given)]
    log = folder / "registering.log"
    with (
        log.open("a") as stream,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, text=True
        ) as process,
    ):
        running = RegisteringProcess(process, log)
        try:
            running.wait()
            yield running
        finally:
            process.kill()


if __name__ == "__main__":
    _main()
