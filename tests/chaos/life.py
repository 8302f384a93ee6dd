"""A service that is killed again and again, and comes up on the same port each time."""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests import soap
from tests.chaos.ledger import now
from tests.chaos.looking import written
from tests.chaos.victims import Kill, descendants, is_gone, kill, left_of
from tests.service import RunningService, start_service, wait_until_ready
from tests.waiting import until

#: Rounds that one life has groups for.
ROUNDS = 10
_GROUPS = "".join(f"[groups.Round{n}]\nsinks = ['index']\n" for n in range(ROUNDS))
#: A disk that is busy with other things is no reason to refuse a write.
_PATIENT = "[store]\nwrite_timeout = '30s'\nbusy_timeout = '20s'\n"
_QUICK = "#!/bin/sh\necho '<quick/>'\n"
# One process beneath the probe, and one that left its group and its session.
_LINGERING = "#!/bin/sh\n(setsid sleep 601 >/dev/null 2>&1 &)\nsleep 602\n"


class Life:
    """A running service; `url` stays the same over all its restarts."""

    def __init__(self, folder: Path, database_url: str) -> None:
        probes = folder / "probes"
        probes.mkdir(parents=True)
        for name, text in (("aggregator-exec-test", _QUICK), ("lingering", _LINGERING)):
            (probes / name).write_text(text)
            (probes / name).chmod(stat.S_IRWXU)
        self._folder = folder / "data"
        self._config = f"[probes]\nfolder = '{probes}'\n{_PATIENT}{_GROUPS}"
        self._options = ["--database", database_url]
        #: Seconds from each kill of the supervisor until the next one was ready.
        self.restarts: list[float] = []
        self.service = self._started(0)
        quick = soap.execution_config("aggregator-exec-test")
        self._collected = soap.add(self.service.group, "http://127.0.0.1:1/quick", quick)
        soap.add(self.service.group, "http://127.0.0.1:1/", soap.execution_config("lingering"))

    def _started(self, port: int) -> RunningService:
        return start_service(self._folder, config=self._config, options=self._options, port=port)

    def group(self, number: int) -> str:
        """The address of the group of a round."""
        return f"{self.service.url}/wsrf/services/Round{number % ROUNDS}"

    def kill(self, role: str, choice: int) -> Kill:
        """Kill a process of a role; a supervisor is followed by the next one on the same port."""
        if role != "supervisor":
            return kill(self.service, role, choice)
        old = self.service.process.pid
        beneath = descendants(psutil.Process(old))
        killed = kill(self.service, role, choice)
        began = time.monotonic()
        self.service = self._started(int(self.service.url.rpartition(":")[2]))
        # A worker of the old one may have been the one that was ready.
        until(
            lambda: all(map(is_gone, beneath)) and not left_of(self.service),
            what="the end of all others",
        )
        wait_until_ready(self.service)
        self.restarts.append(time.monotonic() - began)
        return Kill(role, killed.at, now())

    def wait_for_collections(self) -> None:
        """Wait until the collector and its probe server have worked since this call."""
        called = now()
        declared = "{urn:mds-aggregator:health}lastSuccess"

        def collected() -> bool:
            entry = self._collected
            answer = soap.get_property(entry.address, "h:health", header=entry.header)
            at = answer.body.findtext(f".//{declared}") if answer.status == 200 else None
            return at is not None and at > written(called)

        until(collected, what="a collection after the kills")

    def end(self) -> None:
        """Stop the service as an operator would; nothing is left of it."""
        beneath = descendants(psutil.Process(self.service.process.pid))
        status = self.service.stop()
        assert status == 0, self.service.logs()[-3000:]
        log = self.service.logs()
        at = log.find("Traceback")
        assert at < 0, log[max(0, at - 1000) : at + 5000]
        until(lambda: all(map(is_gone, beneath)), what="the end of all processes")


@contextlib.contextmanager
def life(folder: Path, database_url: str) -> Iterator[Life]:
    """A life that ends with the block."""
    lived = Life(folder, database_url)
    try:
        yield lived
        lived.wait_for_collections()
        lived.end()
    finally:
        if lived.service.process.poll() is None:
            lived.service.kill()
