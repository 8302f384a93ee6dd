"""The web worker: gunicorn's signals and lifetime around a front that waits for no client.

gunicorn's own threaded worker gives a client a thread while it is heard and while it takes the
reply, so that slow clients, some at a time or many, keep the others out, and has limits of time
for few of these. (docs/design/018-waiting-connections.md)
"""

from __future__ import annotations

import gc
import logging
import os
import ssl
import sys
import time
from typing import Any

from gunicorn import sock
from gunicorn.workers.base import Worker as BaseWorker

from aggregator.run.exchange import Exchanges
from aggregator.run.front import Front
from aggregator.run.http_dates import use_for_replies
from aggregator.run.pool import Pool
from aggregator.run.siblings import siblings_spared
from aggregator.run.unread import telling_ends
from aggregator.waiting import ENDING, announce_to, but_here

log = logging.getLogger(__name__)

#: Seconds between two signs of life; gunicorn's arbiter waits for them.
_TURN = 1.0
#: Seconds after which a thread that works lets another one go on. A request takes turns with others
#: at every call of the system, and each turn may last as long: Python's own five milliseconds would
#: make an Add beside a dozen large replies wait for a tenth of a second.
_SWITCH = 0.0005
#: Seconds in which who has said nothing may still speak to a worker that ends.
_LAST_WORDS = 2.0


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no types
    """A web worker; its `app` has the `patience` and the `room` for clients."""

    wsgi: Any

    def init_process(self) -> None:
        """Read the certificates once, in the worker itself: SIGHUP renews them with it."""
        use_for_replies()
        self._tls: ssl.SSLContext | None = None
        if self.cfg.is_ssl:
            with siblings_spared():
                self._tls = sock.ssl_context(self.cfg)
        super().init_process()

    def run(self) -> None:
        """Answer clients until told to end, and those that are being answered then."""
        from aggregator.server.metrics import observe_end  # noqa: PLC0415  (made in this process)

        pool = Pool(working=self.cfg.threads, most=self.app.room.connections)
        announce_to(but_here(pool.waiting))
        exchanges = Exchanges(
            telling_ends(self.wsgi),
            config=self.cfg,
            is_ending=lambda: not self.alive,
            refuse=self.handle_error,
        )
        seat = self.app.balance.seat(self.age)
        seat.tell(0)
        front = Front(
            self.sockets,
            exchanges=exchanges,
            pool=pool,
            seat=seat,
            patience=self.app.patience,
            room=self.app.room,
            most_body=self.app.most_body,
            tls=self._tls,
            on_end=observe_end,
        )
        self._hear_signals(front)
        sys.setswitchinterval(_SWITCH)
        # What is here now stays: a look for garbage through all of it takes a tenth of a second,
        # in which no request goes on.
        gc.collect()
        gc.freeze()
        pool.start()
        front.open()
        told = 0.0
        while self.alive and self.ppid == os.getppid():
            if time.monotonic() - told >= _TURN:
                self.notify()
                told = time.monotonic()
            front.turn(_TURN)
        seat.leave()
        self._finish(front)
        pool.close()

    def _hear_signals(self, front: Front) -> None:
        """Have a signal end a turn: gunicorn writes to this pipe for each."""

        def heard() -> None:
            os.read(self.PIPE[0], 4096)

        front.watch(self.PIPE[0], heard)

    def _finish(self, front: Front) -> None:
        """Let go of who is idle, and of the others once they are answered, or after a while."""
        front.stop()
        ENDING.set()
        last_words = time.monotonic() + _LAST_WORDS
        until = time.monotonic() + self.cfg.graceful_timeout
        while len(front) and time.monotonic() < until:
            self.notify()
            front.wait_no_longer(last_words)
            front.turn(min(_TURN, max(0.0, until - time.monotonic())))
        front.close()
        for listener in self.sockets:
            listener.close()
