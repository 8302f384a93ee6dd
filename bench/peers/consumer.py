"""A consumer of notifications as a process: writes down what it takes, then answers.

    python -m bench.peers.consumer PORT FILE

Each line of the file is the id of a notification and what it tells, in the order in which it came.
It is written before the answer is sent, so that what was answered is there, however the process
ends.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys

from bench.notified import Served

_ID = re.compile(rb'Notification id="([^"]+)"')
_TOLD = re.compile(rb"<[^<>/]*MemberServiceEPR>\s*<[^<>]*Address[^<>]*>([^<]+)<")
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


async def _serve(port: int, path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def answer(_: str, body: bytes) -> bytes:
        told = zip(_ID.findall(body), _TOLD.findall(body), strict=True)
        os.write(file, b"".join(b"%s %s\n" % one for one in told))
        return _ACCEPTED

    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Served(answer), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2]))
