"""The agent: keeps the node connected, and sends what its collectors report until it is taken."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aggregator.agent.collecting import Collecting
from aggregator.agent.spool import KeptInFile, Spool
from aggregator.client.reports import Answer, ReportClient
from aggregator.errors import ConfigError, RemoteError
from aggregator.reports.addons import Collector
from aggregator.reports.loading import load_class
from aggregator.reports.modules import dependency_tree, subtree

log = logging.getLogger(__name__)

#: Seconds until a service that did not answer is tried again: the first, and the longest.
_FIRST, _LONGEST = 0.5, 30.0
#: Seconds of silence after which a node asks whether it is still heard.
_SILENCE = 5.0
#: Why a service never takes a report. All else may change: who may report, where it is, what waits.
_FOR_GOOD = ("size", "wrong")
#: HTTP status for what is too large, which a proxy before the service may say, without our reason.
_TOO_LARGE = 413


def collectors_of(
    names: Sequence[str], folders: Sequence[Path], *, spool: Path
) -> list[tuple[str, Collector, KeptInFile]]:
    """The collectors that are named, and those that they depend on, made in this process.

    Raises ModuleRefused for those that can't be, and for names of which none is a collector.
    """
    tree = dependency_tree(names, folders)
    found = []
    for one in tree:
        needed = [(each.name, each.path) for each in subtree(one.name, tree)]
        loaded = load_class(one.name, needed, folders)
        if issubclass(loaded, Collector):
            loaded.kept = kept = KeptInFile(spool / f"{one.name}.json")
            found.append((one.name, loaded(), kept))
            kept.store()
    if not found:
        raise ConfigError(f"none of {', '.join(names)} is a Collector")
    return found


class Agent:
    """Sends the reports of `node` from the spool; `tell` is told whether the node is connected."""

    def __init__(
        self,
        client: ReportClient,
        spool: Spool,
        *,
        node: str,
        tell: Callable[[bool], None],
    ) -> None:
        self._client = client
        self._spool = spool
        self._node = node
        self._tell = tell
        self._is_connected = False
        self._some = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Say that there is something in the spool. For any thread."""
        self._some.set()

    def stop(self) -> None:
        """End `run` once what is under way is done. For a signal's handler too."""
        self._stopping.set()
        self._some.set()

    def run(self) -> None:
        """Send until told to stop."""
        pause, heard = _FIRST, 0.0
        while not self._stopping.is_set():
            if self._is_connected and not len(self._spool):
                self._some.wait(max(0.0, heard + _SILENCE - time.monotonic()))
                self._some.clear()
                if not len(self._spool) and time.monotonic() < heard + _SILENCE:
                    continue
            wanted = self._send()
            if wanted is None:
                self._connected(True)
                pause, heard = _FIRST, time.monotonic()
                continue
            self._connected(False)
            longest = max(wanted, pause)
            self._stopping.wait(longest * random.uniform(0.5, 1.0) if not wanted else longest)
            pause = min(2 * pause, _LONGEST)

    def _send(self) -> float | None:
        """Send the oldest report, or ask whether we are heard. None where that went well, else for
        how many seconds the service wants to be left alone."""
        try:
            return self._sent()
        except RemoteError as error:
            self._note(str(error))
        except OSError as error:
            # It passes, as does a lack of room or of descriptors; else somebody reads of it here.
            self._note(f"the spool can't be read or written: {error}")
        return 0.0

    def _sent(self) -> float | None:
        found = self._spool.oldest()
        if found is None:
            answer = self._client.hello(self._node)
            return None if answer.is_good else self._refused(answer)
        report, data = found
        answer = self._client.report(
            self._node, report.type, report.id, content_type=report.content_type, data=data
        )
        if answer.is_good:
            self._spool.done(report)
            return None
        if answer.status == _TOO_LARGE or answer.reason in _FOR_GOOD:
            log.error("a report of %s is refused for good: %s", report.type, answer.message)
            self._spool.refuse(report)
            return None
        return self._refused(answer)

    def _refused(self, answer: Answer) -> float:
        self._note(answer.message)
        return answer.retry_after

    def _note(self, reason: str) -> None:
        # Once for each time that the connection is lost, not for each try.
        level = logging.WARNING if self._is_connected or not self._noted else logging.DEBUG
        self._noted = True
        log.log(level, "not connected: %s", reason)

    _noted = False

    def _connected(self, is_connected: bool) -> None:
        if is_connected == self._is_connected:
            return
        self._is_connected = is_connected
        if is_connected:
            self._noted = False
            log.info("connected")
        self._tell(is_connected)


def run_agent(
    client: ReportClient,
    spool: Spool,
    collectors: Sequence[tuple[str, Collector, KeptInFile]],
    *,
    node: str,
    interval: float,
    hear: Callable[[Agent], None],
) -> None:
    """Run collectors and send what they report until the agent is told to stop; `hear` is given
    the agent before it begins."""
    working: list[Collecting] = []

    def tell(is_connected: bool) -> None:
        for one in working:
            one.tell(is_connected=is_connected)

    agent = Agent(client, spool, node=node, tell=tell)
    working += [
        Collecting(name, made, kept, spool=spool, interval=interval, on_report=agent.wake)
        for name, made, kept in collectors
    ]
    hear(agent)
    for one in working:
        one.start()
    agent.run()
