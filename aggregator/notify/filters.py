"""Whether a message is what a subscriber asked for, by an XPath that may be hostile."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from aggregator.errors import QueryFailed, StoreUnavailable
from aggregator.wire.subscribing import Condition

logger = logging.getLogger(__name__)

#: Seconds that one evaluation may take.
PATIENCE = 1.0
#: Seconds until the process must have started.
_START = 10.0
#: Bytes of an answer: a result in JSON is up to six times as long.
_LONGEST_LINE = 8 * 2**20
_COMMAND = (sys.executable, "-m", "aggregator.notify.filter_process")


class Filters:
    """Evaluates conditions in a process of its own, started when it is needed.

    An evaluation that takes too long costs the process, which the next one starts again.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def holds(self, condition: Condition, document: bytes) -> bool:
        """Whether a condition holds for a document; raises QueryFailed where that can't be told,
        StoreUnavailable where it can't be asked now."""
        return bool((await self._answer(_question(condition, document), document))["holds"])

    async def selected(
        self, condition: Condition, document: bytes, *, most: int
    ) -> tuple[bool, str | None]:
        """Whether a condition holds, and what its expression selects, as XML content; None where
        that is longer than `most` characters. Raises as `holds` does."""
        question = {**_question(condition, document), "most": most}
        answer = await self._answer(question, document)
        return bool(answer["holds"]), None if answer.get("cut") else str(answer["result"])

    async def _answer(self, question: Mapping[str, object], document: bytes) -> dict[str, object]:
        async with self._turn:
            if self._process is None:
                await self._start_in_time()
            try:
                async with asyncio.timeout(PATIENCE):
                    line = await self._ask(question, document)
            except (TimeoutError, OSError) as error:
                self._end()
                raise QueryFailed("the filter took too long", limit="time") from error
            except BaseException:
                # Its answer would be taken for that to the next question.
                self._end()
                raise
            if not line:
                self._end()
                raise QueryFailed("the filter could not be evaluated", limit="memory")
        answer: dict[str, object] = json.loads(line)
        if "error" in answer:
            raise QueryFailed(
                f"the filter could not be evaluated: {str(answer['error'])[:500]}",
                limit=str(answer["limit"]),
            )
        return answer

    async def _ask(self, question: Mapping[str, object], document: bytes) -> bytes:
        assert self._writer is not None
        self._writer.write(json.dumps(question).encode() + b"\n" + document)
        return await self._reader.readline()

    async def _start_in_time(self) -> None:
        try:
            async with asyncio.timeout(_START):
                await self._start()
        except (TimeoutError, OSError) as error:
            self._end()
            raise StoreUnavailable("the process for filters can't be started now") from error
        except BaseException:
            self._end()
            raise

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._reader, self._writer = await asyncio.open_unix_connection(
            sock=ours, limit=_LONGEST_LINE
        )
        with theirs:
            self._process = subprocess.Popen(
                [*_COMMAND, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        # It is ready once it answers, which is no part of the time of an evaluation.
        await self._ask({"expression": "true()", "namespaces": {}, "length": 4}, b"<a/>")

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End the process. Safe twice."""
        with suppress(OSError, RuntimeError):
            self._end()


def _question(condition: Condition, document: bytes) -> dict[str, object]:
    return {
        "expression": condition.expression,
        "namespaces": dict(condition.scope),
        "length": len(document),
    }
