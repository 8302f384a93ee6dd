"""A way to a server that can be made to swallow everything, as a broken router would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

#: Seconds after which the server's kernel ends a connection whose other host answers none of its
#: probes, by the times that the store asks the server for. This host answers them for the other.
KEEPALIVE = 5 + 2 * 2


class BlackHole:
    """A proxy on a free port of this host.

    While `swallows` says so of a piece of data, nothing more passes in either direction on that
    connection, for ever. The client is told nothing; the server is told what its keepalive would.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self.swallows: Callable[[bytes], bool] = lambda _: False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close the port and all connections."""
        for one in (self._listener, *self._sockets):
            _end(one)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                dead = threading.Event()
                ending = threading.Timer(KEEPALIVE, _end, [server])
                ending.daemon = True
                for source, target in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pass_on, args=(source, target, dead, ending), daemon=True
                    ).start()

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        dead: threading.Event,
        ending: threading.Timer,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.swallows(data) and not dead.is_set():
                    dead.set()
                    with suppress(RuntimeError):  # The other direction was as quick.
                        ending.start()
                if not dead.is_set():
                    target.sendall(data)
            if not dead.is_set():
                target.shutdown(socket.SHUT_WR)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
