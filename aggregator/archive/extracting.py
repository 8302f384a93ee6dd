"""Numbers out of deliveries, by the configuration's XPath on what members sent.

The expressions are the operator's, but what they are evaluated on is not: a document can make a
harmless one run for hours. So it happens in a process of its own, which is ended where a document
takes too long, and started again for the next one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic

from aggregator.archive import metrics
from aggregator.archive.penalties import Penalties
from aggregator.config.series import Series

logger = logging.getLogger(__name__)

#: Seconds that all expressions of a group may take on one document.
PATIENCE = 0.25
#: Seconds until the process must have started, and until that is tried again where it has not.
_START, _AGAIN = 5.0, 30.0
_COMMAND = (sys.executable, "-m", "aggregator.archive.extract_process")
#: Longest answer, in bytes: a hundred numbers.
_LONGEST = 2**16


class Unanswered(Exception):
    """The numbers of a document can't be told, and why."""


class _ByDocument(Unanswered):
    """It is the document's fault."""


class Extractor:
    """Asks the process, one document at a time."""

    def __init__(self) -> None:
        #: Entries whose documents took too long.
        self.penalties = Penalties()
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._startable_from = 0.0
        self._told: set[str] = set()

    async def numbers(
        self, group: str, series: Sequence[Series], document: bytes, *, entry: str, until: float
    ) -> Mapping[str, float] | None:
        """The numbers of an entry's document by their series, without those that it does not have.

        None where they can't be told now, which is logged and counted: the document itself is kept
        all the same. It is not begun past `until`, by the monotonic clock, nor while the entry is
        left out for a document that took too long.
        """
        question = {
            "series": [(one.xpath, dict(one.namespaces)) for one in series],
            "length": len(document),
        }
        try:
            if self.penalties.is_out(entry):
                raise Unanswered("another document of the entry took too long")
            async with self._turn_by(until):
                values = await self._answer(question, document)
        except Unanswered as error:
            if isinstance(error, _ByDocument):
                self.penalties.add(entry)
            metrics.EXTRACTION_FAILURES.labels(group).inc()
            # The first of each group tells the operator; a member could fill the log with them.
            level = logging.DEBUG if group in self._told else logging.WARNING
            self._told.add(group)
            words = {"group": group, "entry": entry}
            logger.log(level, "no numbers were taken: %s", error, extra=words)
            return None
        found = zip(series, values, strict=True)
        return {one.name: value for one, value in found if value is not None}

    @asynccontextmanager
    async def _turn_by(self, until: float) -> AsyncIterator[None]:
        late = Unanswered("the time for what came together was over")
        left = until - monotonic()
        if left <= 0:
            raise late
        try:
            async with asyncio.timeout(left):
                await self._turn.acquire()
        except TimeoutError as error:
            raise late from error
        try:
            yield
        finally:
            self._turn.release()

    async def _answer(
        self, question: Mapping[str, object], document: bytes
    ) -> Sequence[float | None]:
        if self._process is None:
            await self._start()
        try:
            async with asyncio.timeout(PATIENCE):
                line = await self._ask(question, document)
        except TimeoutError as error:
            self.close()
            raise _ByDocument(f"the document took longer than {PATIENCE:g} s") from error
        except (OSError, ValueError) as error:
            self.close()
            raise _ByDocument("the process ended over the document") from error
        except BaseException:
            # Its answer would be taken for that to the next question.
            self.close()
            raise
        if not line:
            self.close()
            raise _ByDocument("the process ended over the document")
        answer = json.loads(line)
        if "error" in answer:
            raise _ByDocument(str(answer["error"])[:500])
        values: Sequence[float | None] = answer["values"]
        return values

    async def _ask(self, question: Mapping[str, object], document: bytes) -> bytes:
        assert self._writer is not None
        self._writer.write(json.dumps(question).encode() + b"\n" + document)
        return await self._reader.readline()

    async def _start(self) -> None:
        if monotonic() < self._startable_from:
            raise Unanswered("the process for numbers could not be started a moment ago")
        ours, theirs = socket.socketpair()
        try:
            async with asyncio.timeout(_START):
                self._reader, self._writer = await asyncio.open_unix_connection(
                    sock=ours, limit=_LONGEST
                )
                with theirs:
                    self._process = subprocess.Popen(
                        [*_COMMAND, str(theirs.fileno()), str(os.getpid())],
                        pass_fds=(theirs.fileno(),),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        start_new_session=True,
                    )
                # It is ready once it answers, which is no part of a document's time.
                if not await self._ask({"series": [], "length": 4}, b"<a/>"):
                    raise ConnectionResetError("it ended at once")
        except (TimeoutError, OSError) as error:
            self.close()
            self._startable_from = monotonic() + _AGAIN
            raise Unanswered("the process for numbers can't be started now") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process. Safe twice."""
        if self._writer is not None:
            with suppress(OSError, RuntimeError):
                self._writer.close()
            self._writer = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
