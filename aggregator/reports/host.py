"""The process of one aggregator: it may block, crash and be killed, and costs nobody else a turn.

It is started as ``python -m aggregator.reports.host DESCRIPTOR PARENT`` and ends with its socket,
and with its parent. It is sent what to start, then one call at a time, as frames.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aggregator.errors import AggregatorFailed
from aggregator.reports import calls
from aggregator.reports.addons import Aggregator
from aggregator.reports.frames import Pipe
from aggregator.reports.loading import load_class

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
#: Characters of an error, and of a line of the log with its traceback.
_TOLD, _LOGGED = 1000, 20_000
#: Characters of the type of an update.
_TYPE = 100
#: Bytes that may be saved.
_SAVED = 512 * 1024


class _Kept:
    """Where the aggregator's data is kept: with the collector, in the store."""

    def __init__(self, pipe: Pipe, saved: str | None) -> None:
        self._pipe = pipe
        self._saved = saved

    def load(self) -> Any:
        """What was saved last."""
        if self._saved is None:
            raise LookupError("nothing was saved")
        return json.loads(self._saved)

    def save(self, data: Any) -> None:
        """Have it stored; raises AggregatorFailed where that fails."""
        text = json.dumps(data)
        if len(text) > _SAVED:
            raise AggregatorFailed(
                f"{len(text)} bytes are too much to save; {_SAVED} may be", reason="failed"
            )
        self._pipe.write({"save": True}, text.encode())
        answer = self._pipe.read()
        if answer is None:
            sys.exit(0)
        if error := answer[0].get("error"):
            raise AggregatorFailed(f"it could not be saved: {error}", reason="failed")
        self._saved = text


class _Comm:
    """`aggregator.reports.addons.Comm`: what is pushed goes to the collector, which stores it."""

    def __init__(self, pipe: Pipe, updatetype: str, *, limit: int) -> None:
        self._pipe = pipe
        self._limit = limit
        self._updatetype = updatetype

    def sendToSinks(self, msg: Any, type: str = "") -> None:
        """Push it with the present call, or the next one."""
        if (found := calls.said(msg)) is not None:
            if len(found.data) > self._limit:
                raise AggregatorFailed(
                    f"{len(found.data)} bytes can't be pushed; {self._limit} may be",
                    reason="large",
                )
            said = {"push": (type or self._updatetype)[:_TYPE], "kind": found.kind}
            self._pipe.write(said, found.data)


class _Log(logging.Handler):
    """Hands what the module logs to the collector, whose log it becomes part of."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        try:
            self._pipe.write({"log": record.levelno, "text": self.format(record)[:_LOGGED]})
        except (OSError, ValueError):
            self.handleError(record)


def main(descriptor: int, parent: int) -> None:
    """Start what the collector says, and answer its calls until it hangs up."""
    _settle(parent)
    with socket.socket(fileno=descriptor) as link, link.makefile("rwb") as stream:
        pipe = Pipe(stream)  # type: ignore[arg-type]
        logging.basicConfig(level=logging.INFO, handlers=[_Log(pipe)], format="%(message)s")
        first = pipe.read()
        if first is None:
            return
        aggregator = _started(pipe, first[0])
        limit = int(first[0]["limit"])
        while aggregator is not None and (call := pipe.read()) is not None:
            pipe.write(*_bounded(*_answer(aggregator, *call), limit=limit))


def _settle(parent: int) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, b"mds-aggregator", 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _started(pipe: Pipe, order: Mapping[str, Any]) -> Aggregator | None:
    """The aggregator, made; None for a class that is none, or that can't be made."""
    try:
        tree = [(name, Path(path)) for name, path in order["tree"]]
        found = load_class(order["name"], tree, [Path(one) for one in order["folders"]])
        if not issubclass(found, Aggregator):
            pipe.write({"ready": "none"})
            return None
        found.kept = _Kept(pipe, order["saved"])
        aggregator = found()
        aggregator.comm = _Comm(pipe, found.updatetype, limit=order["limit"])
    except (Exception, SystemExit) as error:
        _log(error)
        pipe.write({"ready": "failed", "error": _told(error)})
        return None
    pipe.write(
        {
            "ready": "aggregator",
            "reports": calls.report_types(found),
            "requests": calls.request_types(found),
            "updates": calls.update_types(found),
        }
    )
    return aggregator


def _answer(
    aggregator: Aggregator, call: Mapping[str, Any], body: bytes
) -> tuple[Mapping[str, Any], bytes]:
    try:
        found = _CALLS[call["call"]](aggregator, call, body)
    except calls.MissingArgument as error:
        return {"outcome": "arguments", "error": f"the REQUEST needs {error}"}, b""
    except AggregatorFailed as error:
        return {"outcome": "failed", "error": str(error)[:_TOLD]}, b""
    except (Exception, SystemExit) as error:
        _log(error)
        return {"outcome": "failed", "error": _told(error)}, b""
    if found is None:
        return {"outcome": "none"}, b""
    return {"outcome": "answered", "kind": found.kind}, found.data


def _bounded(
    header: Mapping[str, Any], body: bytes, *, limit: int
) -> tuple[Mapping[str, Any], bytes]:
    if len(body) <= limit:
        return header, body
    return {"outcome": "large", "error": f"it returned {len(body)} bytes; {limit} may be"}, b""


def _report(aggregator: Aggregator, call: Mapping[str, Any], body: bytes) -> None:
    known = {name: call[name] for name in ("type", "node", "id", "time")}
    calls.process_report(aggregator, calls.Message({**known, "data": body}))


def _request(aggregator: Aggregator, call: Mapping[str, Any], body: bytes) -> calls.Said | None:
    message = calls.request_message(call["type"], call["arguments"])
    return calls.process_request(aggregator, message)


def _update(aggregator: Aggregator, call: Mapping[str, Any], body: bytes) -> calls.Said | None:
    return calls.update(aggregator, call["now"])


_CALLS: Mapping[str, Callable[[Aggregator, Mapping[str, Any], bytes], calls.Said | None]] = {
    "report": _report,
    "request": _request,
    "update": _update,
}


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_TOLD]


def _log(error: BaseException) -> None:
    logging.error("%s", "".join(traceback.format_exception(error))[-_LOGGED:])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
