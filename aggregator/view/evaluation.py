"""One expression in a process of its own, so that it can be ended and harms nothing."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aggregator.errors import AggregatorException, QueryFailed
from aggregator.view.document import Document
from aggregator.view.each import evaluate_each
from aggregator.view.query_messages import QueryRequest, ReplyHead, error_head, frame
from aggregator.view.results import Answer, evaluate

log = logging.getLogger(__name__)

#: What the child says on its pipe when it has its answer and begins to send it.
ANSWERING = b"a"
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Child:
    """A process that evaluates; `pipe` ends with it."""

    pid: int
    pipe: int
    began: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """For how long it has run."""
        return time.monotonic() - self.began

    def cpu_seconds(self) -> float:
        """CPU time that it has taken; for ever where that can't be said."""
        try:
            # User and system time; before them stands the name in brackets, which may hold any.
            told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return math.inf
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Kill it; it must still be reaped."""
        os.kill(self.pid, signal.SIGKILL)

    def make_nicer(self) -> None:
        """Let others go first from now on."""
        os.setpriority(os.PRIO_PROCESS, self.pid, 10)

    def reap(self) -> int:
        """Wait for its end, which is here once the pipe has ended; its exit status."""
        os.close(self.pipe)
        return os.waitpid(self.pid, 0)[1]


def start(
    request: QueryRequest,
    make_document: Callable[[], Document],
    connection: socket.socket,
    *,
    memory: int,
    max_result: int,
) -> Child:
    """Fork a child that evaluates and sends the reply on `connection`.

    It may take `memory` beside what it shares, and beside its result twice.
    The caller has one thread only; the document is the child's own copy.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if pid:
        os.close(writing)
        os.set_blocking(reading, False)
        return Child(pid, reading)
    status = 1
    try:
        _settle(keep={connection.fileno(), writing}, parent=parent, memory=memory + 2 * max_result)
        reply = _reply(request, make_document, max_result)
        os.write(writing, ANSWERING)
        _send(connection, reply)
        status = 0
    except BrokenPipeError:
        # Only the evaluator reads there, and it has just died: this process dies with it.
        status = 1
    except Exception:
        log.exception("An expression could not be evaluated, or its result not be sent")
    finally:
        # Nothing of the parent's is flushed, closed or told twice.
        os._exit(status)


def _reply(
    request: QueryRequest, make_document: Callable[[], Document], max_result: int
) -> list[bytes]:
    try:
        answer = _answer(request, make_document, max_result)
    except AggregatorException as error:
        return [frame(error_head(error))]
    except MemoryError:
        short = QueryFailed("the result needs more memory than a query may use", limit="memory")
        return [frame(error_head(short))]
    head = ReplyHead(is_text=answer.is_text, blocks=[len(block) for block in answer.blocks])
    return [frame(head), *answer.blocks]


def _answer(
    request: QueryRequest, make_document: Callable[[], Document], max_result: int
) -> Answer:
    expression, namespaces = request.expression, request.namespaces
    if request.documents:
        return evaluate_each(request.documents, expression, namespaces, max_result)
    return evaluate(make_document(), expression, namespaces, max_result=max_result)


def _send(connection: socket.socket, reply: list[bytes]) -> None:
    """Send the reply, as far as somebody is there to take it: the web worker may have died."""
    connection.setblocking(True)
    try:
        for block in reply:
            connection.sendall(block)
    except ConnectionError:
        log.info("Nobody took the result of an expression: the web worker has gone away")


def _settle(*, keep: set[int], parent: int, memory: int) -> None:
    """Make the copy of the evaluator a process that depends on it and holds nothing of it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # Connections of other clients must end when the evaluator ends them.
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in keep:
            _close(int(name))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _close(number: int) -> None:
    try:
        os.close(number)
    except OSError:
        # The listing's own descriptor is among them.
        return
