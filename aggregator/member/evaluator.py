"""The member's way to its evaluating process: started when needed, bounded, restarted."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aggregator.collect.probe_frames import FrameBuffer, frame
from aggregator.errors import CollectError, InvalidQuery, QueryFailed
from aggregator.member.turns import Turns

logger = logging.getLogger(__name__)

#: Expressions that are evaluated at once, for all clients together and for one.
MAX_EVALUATIONS = 4
MAX_OF_ONE_CLIENT = 2
#: Memory of one evaluation and bytes of its result.
MEMORY = 512 * 1024 * 1024
MAX_RESULT = 4 * 1024 * 1024

_PATIENCE = 2.0
_MARGIN = 2.0
_PIECE = 262144
_COMMAND = (sys.executable, "-P", "-m", "aggregator.member.evaluation")


class Evaluator:
    """Evaluates XPath and XSLT in children of one process; killing them harms nobody else."""

    def __init__(self, *, timeout: float) -> None:
        """At most `timeout` seconds are spent on one expression."""
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._turns = Turns(total=MAX_EVALUATIONS, each=MAX_OF_ONE_CLIENT, patience=_PATIENCE)

    def start(self) -> socket.socket:
        """Start the process, unless it runs; the socket on which it takes orders."""
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*_COMMAND, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        return ours

    def close(self) -> None:
        """End the process; expressions in flight fail. Safe twice."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            # Its children die with it, and it has nothing to lose.
            self._process.kill()
            self._process.wait()
            self._process = None

    async def query(
        self,
        expression: str,
        elements: Sequence[bytes],
        *,
        namespaces: Mapping[str, str],
        client: str,
    ) -> bytes:
        """The content of a query's response; raises InvalidQuery or QueryFailed.

        `elements` are the children of the document's root.
        """
        order = {"expression": expression, "namespaces": dict(namespaces)}
        async with self._turns.of(client):
            header, result = await self._ask(order, elements, timeout=self._timeout)
        if header.get("error") == "InvalidQuery":
            raise InvalidQuery(header["message"])
        if "error" in header:
            raise QueryFailed(header["message"])
        return result

    async def transform(self, stylesheet: bytes, document: bytes, *, timeout: float) -> bytes:
        """The element that a stylesheet makes of a document; raises CollectError."""
        try:
            header, result = await self._ask({}, (stylesheet, document), timeout=timeout)
        except QueryFailed as error:
            raise CollectError(f"the transformation: {error.message}", code="transform") from error
        if "error" in header:
            raise CollectError(header["message"], code="transform")
        return result

    async def _ask(
        self, order: dict[str, Any], parts: Sequence[bytes], *, timeout: float
    ) -> tuple[dict[str, Any], bytes]:
        limits = {"timeout": timeout, "memory": MEMORY, "max_result": MAX_RESULT}
        lengths = [len(part) for part in parts]
        reader, writer = await asyncio.open_unix_connection(sock=self._hand_over())
        try:
            async with asyncio.timeout(timeout + _MARGIN):
                writer.write(frame({**order, **limits, "lengths": lengths}, b"".join(parts)))
                buffer = FrameBuffer()
                while piece := await reader.read(_PIECE):
                    for answer in buffer.feed(piece):
                        return answer
        except (TimeoutError, OSError):
            logger.debug("an evaluation did not answer", exc_info=True)
        finally:
            writer.close()
        raise QueryFailed(
            f"ended before it was done: it may take {timeout:g} s and {MEMORY // 1024**2} MiB"
        )

    def _hand_over(self) -> socket.socket:
        """A socket whose other end a new child holds."""
        ours, theirs = socket.socketpair()
        with theirs:
            for _ in range(2):
                control = self.start()
                try:
                    socket.send_fds(control, [b"!"], [theirs.fileno()])
                    return ours
                except OSError:
                    logger.warning("the evaluating process is gone; it is started again")
                    self.close()
        ours.close()
        raise QueryFailed("the evaluating process does not start; try again")
