"""Clients that each ask for one of many things, again and again, and note what each was shown.

They are a process of their own, so that who watches the service does not hold them up:

    python -m bench.askers PLAN

They ask until their standard input ends, and then print what they noted, a line for each reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
#: Where a request differs by the number of what is asked for.
NUMBER = "000000"


@dataclass(frozen=True, slots=True)
class Asking:
    """What some clients ask: one of `count` things, drawn at random.

    `body` holds `NUMBER`; `paths` is the one path of all, or those of each. What is there is shown
    by `shown` with its number in the reply.
    """

    name: str
    clients: int
    count: int
    body: str
    paths: tuple[str, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A reply: to what, sent and come by the host's steady clock in microseconds, what it was.

    `refusal` is the fault of a request that was not answered.
    """

    name: str
    number: int
    sent: int
    came: int
    is_shown: bool
    refusal: str

    @property
    def seconds(self) -> float:
        """How long the reply took."""
        return (self.came - self.sent) / 1e6


@contextlib.contextmanager
def asking(
    url: str, folder: Path, askings: Sequence[Asking], *, pause: float
) -> Iterator[list[Noted]]:
    """Clients that ask as long as the block, after which the list has what they noted.

    Each leaves `pause` seconds between a reply and its next request.
    """
    plan = folder / "asking.json"
    plan.write_text(
        json.dumps({"url": url, "pause": pause, "askings": [asdict(one) for one in askings]})
    )
    noted: list[Noted] = []
    with (folder / "noted").open("w+") as file:
        command = [sys.executable, "-m", "bench.askers", str(plan)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=file)
        try:
            yield noted
        finally:
            process.communicate(timeout=120)
        if process.returncode:
            raise RuntimeError("the clients failed")
        file.seek(0)
        noted += (Noted(*json.loads(line)) for line in file)


def steady() -> int:
    """The clock that the store goes by on a host, in microseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class _Client:
    """One connection, from the address of this host that has its number; notes its replies."""

    def __init__(
        self, url: str, asking: Asking, *, number: int, noted: list[tuple[Any, ...]]
    ) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._source = f"127.0.1.{number + 1}"
        self._asking = asking
        self._noted = noted

    async def ask_on(self, ended: asyncio.Event, pause: float) -> None:
        reader, writer = await asyncio.open_connection(
            self._host, self._port, local_addr=(self._source, 0)
        )
        while not ended.is_set():
            number = random.randrange(self._asking.count)
            request = self._request(number)
            sent = steady()
            writer.write(request)
            status, content = await _reply(reader)
            came = steady()
            shown = f"{self._asking.shown}{number:06d}".encode() in content
            # That there is no such entry is an answer.
            answered = status == 200 or b"ResourceUnknown" in content
            refusal = "" if answered else f"{status} {content.decode()[:1000]}"
            self._noted.append((self._asking.name, number, sent, came, shown, refusal))
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        writer.close()

    def _request(self, number: int) -> bytes:
        asking = self._asking
        path = asking.paths[number if len(asking.paths) > 1 else 0]
        body = asking.body.replace(NUMBER, f"{number:06d}").encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: text/xml; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length))


async def _run(plan: dict[str, Any]) -> list[tuple[Any, ...]]:
    ended = asyncio.Event()
    noted: list[tuple[Any, ...]] = []
    async with asyncio.TaskGroup() as group:
        askings = [Asking(**given) for given in plan["askings"]]
        each = [one for one in askings for _ in range(one.clients)]
        for number, one in enumerate(each):
            client = _Client(plan["url"], one, number=number, noted=noted)
            group.create_task(client.ask_on(ended, plan["pause"]))
        await asyncio.to_thread(sys.stdin.read)
        ended.set()
    return noted


def main() -> None:
    """Ask as a plan says."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    gc.disable()
    for one in asyncio.run(_run(plan)):
        print(json.dumps(one))


if __name__ == "__main__":
    main()
