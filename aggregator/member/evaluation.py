"""The process that forks a child for each expression and each stylesheet.

It has one thread, so that forking is safe, and keeps nothing. A child that takes too long is ended
by the kernel (SIGALRM): neither libxml2 nor libxslt can be interrupted. It is started as
``python -m aggregator.member.evaluation DESCRIPTOR`` and ends when its socket is closed.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from itertools import accumulate
from typing import Any, NoReturn

from aggregator.collect.probe_frames import FrameBuffer, frame
from aggregator.collect.probe_tree import die_with_parent, set_name
from aggregator.errors import AggregatorException
from aggregator.member.stylesheet import apply_stylesheet
from aggregator.member.xpath import query

_PIECE = 262144


def main(descriptor: int) -> None:
    """Take sockets from the control socket, and give each to a child of its own."""
    set_name("mds-member-eval")
    # The kernel reaps children that nobody waits for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as control:
        while True:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                return
            _start(control, descriptors[0])


def _start(control: socket.socket, descriptor: int) -> None:
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        pid = -1  # The socket closes without an answer, which says enough.
    if pid == 0:
        die_with_parent(parent)
        control.close()
        _work(descriptor)
    os.close(descriptor)


def _work(descriptor: int) -> NoReturn:
    """In the child: one order, one answer, the end."""
    try:
        with socket.socket(fileno=descriptor) as link:
            order, content = _receive(link)
            _limit(order)
            link.sendall(_answer(order, content))
    finally:
        os._exit(0)


def _receive(link: socket.socket) -> tuple[dict[str, Any], bytes]:
    buffer = FrameBuffer()
    while piece := link.recv(_PIECE):
        for header, content in buffer.feed(piece):
            return header, content
    raise EOFError


def _limit(order: dict[str, Any]) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, order["timeout"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory"], order["memory"]))


def _answer(order: dict[str, Any], content: bytes) -> bytes:
    try:
        return frame({}, _result(order, content))
    except AggregatorException as error:
        return frame({"error": type(error).__name__, "message": str(error)})
    except Exception as error:
        return frame({"error": "QueryFailed", "message": type(error).__name__})


def _result(order: dict[str, Any], content: bytes) -> bytes:
    parts = _cut(content, order["lengths"])
    if "expression" not in order:
        return apply_stylesheet(parts[0], parts[1])
    return query(
        order["expression"],
        parts,
        namespaces=order["namespaces"],
        max_result=order["max_result"],
    )


def _cut(content: bytes, lengths: list[int]) -> list[bytes]:
    ends = list(accumulate(lengths))
    return [content[end - length : end] for end, length in zip(ends, lengths, strict=True)]


if __name__ == "__main__":
    main(int(sys.argv[1]))
