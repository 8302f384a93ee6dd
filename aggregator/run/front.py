"""The front of a web worker: one thread that looks after all connections, and waits for none.

It takes requests until they are whole, hands them to threads, sends what clients did not take at
once, and ends who is late. A thread that works on a request never waits for its client.
"""

from __future__ import annotations

import logging
import math
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial

from aggregator.run.balance import Seat
from aggregator.run.connection import Connection, Stage
from aggregator.run.crowd import Crowd, Patience, Room
from aggregator.run.doors import Doors
from aggregator.run.exchange import Exchanges, Outcome
from aggregator.run.handshakes import Handshakes
from aggregator.run.polling import READ, WRITE, Polling
from aggregator.run.pool import Pool
from aggregator.waiting import Pending

log = logging.getLogger(__name__)

_READING = (Stage.IDLE, Stage.HEADER, Stage.BODY)
#: Seconds in which a client may take what is under way when we close, and between looks at clocks.
_LINGER, _LOOK = 2.0, 0.25


class Front:
    """Looks after the connections of `listeners`; for one thread.

    `exchanges` answer here what needs no waiting, all else in threads of `pool`. `seat` is among
    those of the sibling workers. `most_body` is in bytes. `on_end` is told why a client must go.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        *,
        exchanges: Exchanges,
        pool: Pool,
        seat: Seat,
        patience: Patience,
        room: Room,
        most_body: int,
        tls: ssl.SSLContext | None,
        on_end: Callable[[str], None],
    ) -> None:
        self._exchanges = exchanges
        self._pool = pool
        self._patience = patience
        self._most_body = most_body
        self._on_end = on_end
        self._crowd = Crowd(room, told=seat.tell)
        self.wait_no_longer = self._crowd.wait_no_longer
        self._polling = Polling(self._serve)
        self._listen = self._polling.listen
        self._doors = Doors(
            listeners,
            self._polling,
            is_behind=lambda: pool.is_behind,
            is_ahead=lambda: seat.is_ahead,
            has_room=lambda: not self._crowd.is_full or self._make_room(),
            make_room=self._make_room,
            begin=self._begin,
        )
        self._handshakes = None if tls is None else Handshakes(tls, pool, self._polling)
        #: Open and close these for new connections.
        self.open, self.stop = self._doors.open, self._doors.close
        self.watch = self._polling.watch
        self._next_look = 0.0

    def __len__(self) -> int:
        return len(self._crowd)

    def turn(self, longest: float) -> None:
        """Do what there is to do; wait for it for `longest` seconds at most."""
        if len(self._crowd):
            longest = min(longest, max(0.0, self._next_look - time.monotonic()))
        is_busy = self._polling.wait(self._doors.patience(longest))
        self._doors.let_some_in(now=is_busy)
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK
            self._look(now)

    def close(self) -> None:
        """End all connections, but for those that threads have in hand: they end with them."""
        for connection in self._crowd:
            if connection.stage is not Stage.WORKING:
                self._drop(connection)

    # Connections come.

    def _begin(self, sock: socket.socket, address: object, server: object) -> None:
        connection = Connection(sock, client=address, server=server, most_body=self._most_body)
        stage = Stage.HEADER if self._handshakes is None else Stage.HANDSHAKE
        connection.enter(stage, patience=self._patience.header)
        self._crowd.add(connection)
        self._listen(connection, READ)

    def _make_room(self) -> bool:
        """Send somebody away; whether there was somebody."""
        connection = self._crowd.pushed_out()
        if connection is None:
            return False
        self._on_end("crowded")
        self._drop(connection)
        return True

    # Requests come, replies go.

    def _serve(self, connection: Connection) -> None:
        """Do what the connection has become ready for."""
        stage = connection.stage
        try:
            if stage in _READING:
                self._receive(connection)
            elif stage is Stage.REPLY:
                self._send(connection)
            elif stage is Stage.HANDSHAKE and self._handshakes is not None:
                self._handshakes.go_on(
                    connection, until=connection.began + self._patience.header, tell=self._shaken
                )
            elif stage is Stage.LINGERING:
                if connection.drain():
                    self._listen(connection, READ)
                else:
                    self._drop(connection)
        except OSError:
            self._drop(connection)
        except Exception:
            log.exception("bug in a connection, which is closed")
            self._drop(connection)

    def _receive(self, connection: Connection) -> None:
        if connection.receive():
            self._take_up(connection)
            return
        self._listen(connection, READ)
        if connection.arriving.header:
            self._crowd.count_request(connection, len(connection.arriving))
            self._wait_for_body(connection)
        elif connection.stage is Stage.IDLE and len(connection.arriving):
            connection.enter(Stage.HEADER, patience=self._patience.header)

    def _wait_for_body(self, connection: Connection) -> None:
        if connection.stage is not Stage.BODY:
            connection.enter(Stage.BODY, patience=self._patience.body)
            if connection.arriving.expecting:
                connection.tell_to_go_on()
        while (slow := self._crowd.too_slow_sender()) is not None:
            self._on_end("request memory")
            self._give_up_body(slow)

    def _give_up_body(self, connection: Connection) -> None:
        """Have the request answered as it is, which is to be refused."""
        connection.said_all = True
        self._crowd.count_request(connection, 0)
        self._hand_over(connection)

    def _send(self, connection: Connection) -> None:
        if connection.flush():
            self._crowd.count_reply(connection, 0)
            self._hand_over(connection)
        else:
            self._listen(connection, WRITE)

    def _take_up(self, connection: Connection) -> None:
        if not len(connection.arriving) and connection.exchange is None:
            return self._drop(connection)
        connection.enter(Stage.WORKING, patience=math.inf)
        outcome = self._exchanges.answer_at_once(connection)
        if outcome is None:
            return self._pool.submit(partial(self._work, connection))
        return self._decide(connection, outcome)

    def _hand_over(self, connection: Connection) -> None:
        connection.enter(Stage.WORKING, patience=math.inf)
        self._pool.submit(partial(self._work, connection))

    def _work(self, connection: Connection) -> None:
        outcome = self._exchanges.answer(connection)
        self._doors.catch_up()
        if outcome is Outcome.KEPT and not connection.arrived and not len(connection.arriving):
            connection.enter(Stage.IDLE, patience=self._patience.keepalive)
            self._polling.again(connection)
        else:
            self._polling.tell(partial(self._decide, connection, outcome))

    # What threads have told.

    def _go_on(self, connection: Connection, pending: Pending | None) -> None:
        """Answer what was pending, unless that was given up meanwhile."""
        if connection.pending is not pending:
            return
        connection.pending = None
        self._take_up(connection)

    def _shaken(self, connection: Connection, stage: Stage | None) -> None:
        self._doors.catch_up()
        if stage is None:
            self._linger(connection)
        elif stage is Stage.HEADER:
            # The first words may have come with the handshake's last, and lie in TLS's buffer.
            self._serve(connection)
        else:
            self._listen(connection, READ)

    def _decide(self, connection: Connection, outcome: Outcome) -> None:
        """See to what a thread has left."""
        self._crowd.count_request(connection, 0)
        if outcome is Outcome.MORE:
            self._hand_over(connection)
        elif outcome is Outcome.KEPT:
            self._keep(connection)
        elif outcome is Outcome.PENDING:
            self._wait_for(connection)
        elif outcome is Outcome.BLOCKED:
            connection.enter(Stage.REPLY, patience=self._patience.reply)
            self._crowd.count_reply(connection, connection.outgoing)
            self._listen(connection, WRITE)
            while (slow := self._crowd.too_slow_reader()) is not None:
                self._on_end("reply memory")
                self._cut_off(slow)
        elif outcome is Outcome.ENDED:
            self._linger(connection)
        else:
            self._drop(connection)

    def _wait_for(self, connection: Connection) -> None:
        pending = connection.pending
        assert pending is not None
        connection.enter(Stage.PENDING, patience=pending.patience)
        pending.when_done(partial(self._polling.tell, partial(self._go_on, connection, pending)))

    def _keep(self, connection: Connection) -> None:
        """Wait for the next request, of which a part may be here."""
        if not len(connection.arriving):
            connection.enter(Stage.IDLE, patience=self._patience.keepalive)
        else:
            connection.enter(Stage.HEADER, patience=self._patience.header)
        self._listen(connection, READ)
        if connection.arriving.header:
            self._crowd.count_request(connection, len(connection.arriving))
            self._wait_for_body(connection)

    # Connections go.

    def _look(self, now: float) -> None:
        """End what has passed its deadline."""
        for connection in self._crowd:
            if connection.deadline <= now and connection.stage is not Stage.GONE:
                self._end_late(connection)
        self._doors.look()

    def _end_late(self, connection: Connection) -> None:
        stage = connection.stage
        if stage is Stage.PENDING:
            again = partial(self._go_on, connection, connection.pending)
            return self._polling.tell(again)
        if stage not in (Stage.IDLE, Stage.LINGERING):
            self._on_end(stage.value)
        if stage is Stage.BODY:
            self._give_up_body(connection)
        elif stage is Stage.REPLY:
            self._cut_off(connection)
        elif stage is Stage.HEADER and len(connection.arriving):
            connection.tell_late()
            self._linger(connection)
        else:
            self._drop(connection)

    def _linger(self, connection: Connection) -> None:
        """Say that we are done, and drop what still comes, so that no reset eats our last words.

        (RFC 9112, section 9.6.)
        """
        try:
            connection.end_sending()
        except (OSError, ValueError):
            self._drop(connection)
            return
        connection.enter(Stage.LINGERING, patience=_LINGER)
        self._listen(connection, READ)

    def _cut_off(self, connection: Connection) -> None:
        connection.end()
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        connection.stage = Stage.GONE
        self._crowd.remove(connection)
        self._polling.leave(connection)
        connection.close()
