"""What a site's modules inherit from: Aggregator on the controller, Collector on each node.

The names are those of SEER, in which such modules were written first.
"""

from __future__ import annotations

import json
from typing import Any, Protocol


class Kept(Protocol):
    """Where what a module saves is kept."""

    def load(self) -> Any:
        """What was saved last; LookupError where nothing was."""

    def save(self, data: Any) -> None:
        """Keep `data` in place of what was saved before; it is durable when this returns."""


class InMemory:
    """Keeps it as long as the process, for modules that nobody has started: in their tests."""

    def __init__(self) -> None:
        self._saved: list[str] = []

    def load(self) -> Any:
        """What was saved last."""
        if not self._saved:
            raise LookupError("nothing was saved")
        return json.loads(self._saved[0])

    def save(self, data: Any) -> None:
        """Keep it."""
        self._saved[:] = [json.dumps(data)]


class Comm(Protocol):
    """The way of an aggregator to those who watch."""

    def sendToSinks(self, msg: Any, type: str = "") -> None:
        """Push `msg` to whoever watches, as an update of a type, else of the `updatetype`."""


class Module:
    """What aggregators and collectors have in common.

    ``dependencies`` names the classes that must be there as well: a literal, since it is read
    without running the module.
    """

    dependencies: tuple[str, ...] = ()
    kept: Kept = InMemory()

    def saveData(self, data: Any) -> None:
        """Keep what JSON can say over restarts and takeovers, in place of what was saved before."""
        self.kept.save(data)

    def restoreData(self, default: Any = None) -> Any:
        """What was saved last, `default` where nothing was."""
        try:
            return self.kept.load()
        except LookupError:
            return default


class Aggregator(Module):
    """Takes the reports of all nodes, answers REQUESTs, and pushes updates.

    There is one of a class in the whole deployment. ``reporttype`` is the type of the reports that
    it is handed, ``requesttypes`` are those of the REQUESTs that it answers, ``updatetype`` is that
    of what it pushes; empty for none. Methods ``process_REPORT_<type>(msg)`` and
    ``process_GET_<type>(msg)`` take reports and REQUESTs of one more type each, and of the above
    before the general ones.

    Its methods are called one at a time. A method that raises, ends its process or takes longer
    than ``reports.call_timeout`` costs that call alone; of the latter two the aggregator is made
    anew, and what it had not saved is gone.
    """

    reporttype: str = ""
    updatetype: str = ""
    requesttypes: tuple[str, ...] = ()
    #: Set once it is made.
    comm: Comm

    def processReport(self, msg: Any) -> Any:
        """Process and save a report: `msg.data` (bytes), `type`, `node`, `id`, `time` (seconds).

        A report may come again under the same node and id, after a crash.
        """
        return None

    def processREQUEST(self, msg: Any) -> Any:
        """The answer to a REQUEST, None where there is none: `msg.type`, and its arguments as
        attributes, which are texts."""
        return None

    def getUpdateMessage(self) -> Any:
        """What is to be pushed now, None for nothing; asked every ``reports.update_interval``."""
        return None

    def doUpdates(self, now: float) -> None:
        """Called before each question for an update, with the time in seconds."""


class Collector(Module):
    """Collects on a node, and reports; there is one of a class on each node.

    ``reporttype`` pairs it with the aggregator of the same one.
    """

    reporttype: str = ""

    def getReport(self, now: float) -> Any:
        """None, or a type and the data, which is bytes, a text, a protobuf message, or what JSON
        can say. Called about once a second (`now`: the time in seconds), and only while the node is
        connected."""
        return None

    def connectStateChanged(self, isConnected: bool) -> None:
        """Called when the node was connected, and when it is so no more."""
