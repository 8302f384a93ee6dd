"""A way to a server that can be cut: connections break, new ones are refused until it is mended.

It stands for a server that is restarted, or a network that fails, without touching a server that
others use.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit, urlunsplit


class CutProxy:
    """Passes on what comes to a port of its own, both ways."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._changing = threading.Lock()
        self._open: set[socket.socket] = set()
        self._passing = threading.Event()
        self._passing.set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.mend()

    def url(self, url: str) -> str:
        """The URL of a server, by this way."""
        parts = urlsplit(url)
        user, _, _ = parts.netloc.rpartition("@")
        place = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        return urlunsplit(parts._replace(netloc=place))

    @property
    def connections(self) -> int:
        """How many there are."""
        with self._changing:
            return len(self._open) // 2

    def mend(self) -> None:
        """Let new connections come, and pass on what they say."""
        self._passing.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._listener is not None:
            # A thread that waits in accept would keep the port open.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.break_off()

    def break_off(self) -> None:
        """Break all connections; new ones are taken."""
        with self._changing:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def stall(self) -> None:
        """Pass on nothing more, as a server does that hangs."""
        self._passing.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            with self._changing:
                self._open |= {client, server}
            for here, there in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(here, there), daemon=True).start()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65536):
                self._passing.wait()
                there.sendall(data)
        with self._changing:
            for one in (here, there):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.discard(here)
        here.close()
