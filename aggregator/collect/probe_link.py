"""One probe server process and the socket to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from aggregator.collect.probe_frames import FrameBuffer, frame

_ROOT = Path(__file__).resolve().parents[2]
# Neither site-packages nor the environment nor the working directory reach the server (-I -S): it
# needs the standard library and the folder that holds this package.
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from aggregator.collect.probe_server import main; main(sys.argv[2:])"
)
# Settings of the service, with the secrets in them, stay out of reach of the probes.
_INHERITED = ("LD_LIBRARY_PATH",)
_PIECE = 262144
_CLOSING = 8.0


def _spawn(descriptor: int, scratch: str) -> subprocess.Popen[bytes]:
    start = [sys.executable, "-I", "-S", "-c", _BOOT, str(_ROOT)]
    return subprocess.Popen(
        [*start, str(descriptor), scratch],
        cwd="/",
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
        pass_fds=(descriptor,),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


class ProbeLink:
    """A running probe server; its end is the end of `frames`."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, scratch: str) -> ProbeLink:
        """Start a probe server whose probes run beneath the folder `scratch`; OSError."""
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            with theirs:
                process = _spawn(theirs.fileno(), scratch)
            undo.callback(process.wait)
            undo.callback(process.kill)
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            undo.pop_all()
        return cls(process, reader=reader, writer=writer)

    @property
    def pid(self) -> int:
        """The probe server's process."""
        return self._process.pid

    async def frames(self) -> AsyncIterator[tuple[dict[str, Any], bytes]]:
        """What the server sends, until it is gone."""
        buffer = FrameBuffer()
        with contextlib.suppress(OSError):
            while piece := await self._reader.read(_PIECE):
                for header, body in buffer.feed(piece):
                    yield header, body

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a frame; where the server is gone, `frames` tells it."""
        self._writer.write(frame(dict(header), body))

    def kill(self) -> None:
        """End the server at once; its keepers end what they keep."""
        self._process.kill()

    def hang_up(self) -> None:
        """Close the socket, at which the server ends all probes and itself."""
        self._writer.close()

    async def close(self) -> None:
        """Hang up and wait until the server is gone; one that does not go is killed."""
        self.hang_up()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        try:
            await asyncio.to_thread(self._process.wait, _CLOSING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
