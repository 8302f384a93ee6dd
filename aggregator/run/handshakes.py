"""TLS handshakes, in steps: each is milliseconds of arithmetic, and none waits for a client."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable
from functools import partial

from aggregator.run.connection import Connection, Stage
from aggregator.run.polling import Polling
from aggregator.run.pool import Pool

#: Told of a connection after a step and its stage then, None where the handshake has failed.
Tell = Callable[[Connection, Stage | None], None]


class Handshakes:
    """Takes handshakes further, in threads of `pool`."""

    def __init__(self, context: ssl.SSLContext, pool: Pool, polling: Polling) -> None:
        self._context = context
        self._pool = pool
        self._polling = polling

    def go_on(self, connection: Connection, *, until: float, tell: Tell) -> None:
        """Take what the client has said; raises OSError where it has gone.

        It has until an instant (monotonic) for the next stage too. `tell` is called in the thread
        of `polling`.
        """
        if not connection.speaks_tls:
            # This closes the socket of a client that has gone, and its number is free then.
            self._polling.leave(connection)
            connection.speak_tls(self._context)
        connection.enter(Stage.WORKING, patience=math.inf)
        self._pool.submit(partial(self._shake, connection, until, tell))

    def _shake(self, connection: Connection, until: float, tell: Tell) -> None:
        try:
            done = connection.shake()
        except (OSError, ValueError) as error:
            connection.tell_failure(error)
            self._polling.tell(partial(tell, connection, None))
            return
        stage = Stage.HEADER if done else Stage.HANDSHAKE
        self._polling.tell(partial(_enter, connection, stage, until, tell))


def _enter(connection: Connection, stage: Stage, until: float, tell: Tell) -> None:
    connection.enter(stage, patience=until - time.monotonic())
    tell(connection, stage)
