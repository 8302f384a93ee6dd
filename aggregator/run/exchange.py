"""One request and its reply: gunicorn's parser and response around the application, in steps.

A step gives the connection a piece of the reply; between two steps no thread is needed.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Generator, Iterable
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, NoMoreData
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import Response

from aggregator.run.arriving import MOST_HEADER
from aggregator.run.connection import Connection
from aggregator.run.environment import environ_of
from aggregator.waiting import AT_ONCE, Later, Pending, WouldWait

log = logging.getLogger(__name__)

#: Bytes of a reply that are sent together.
_TOGETHER = 65536
#: Bytes of a request that is read, and perhaps answered, without a thread: to hand it over and back
#: takes longer than that.
_SHORT = 16 * 1024
#: Bytes of a reply after which who must not wait leaves the rest to a thread.
_MOST_AT_ONCE = 1024 * 1024


#: The steps of an exchange; each tells whether the next one may have to wait, or for what.
Steps = Generator[bool | Pending, None, None]


class Outcome(enum.Enum):
    """How a thread leaves a connection."""

    #: Answered; the next request may come.
    KEPT = "kept"
    #: The answer waits for the connection's `pending`.
    PENDING = "pending"
    #: Answered, and the next request is whole already.
    MORE = "more"
    #: The client has to take what it was sent before there is more.
    BLOCKED = "blocked"
    #: Answered, and the connection ends.
    ENDED = "ended"
    #: Nothing can be said on it any more.
    BROKEN = "broken"


class Exchanges:
    """Answers requests by a WSGI application; `is_ending` tells whether this process ends.

    `refuse` answers a request that is not HTTP, as gunicorn's workers do.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        config: Any,
        is_ending: Callable[[], bool],
        refuse: Callable[[Any, Connection, Any, Exception], None],
    ) -> None:
        self._application = application
        self._config = config
        self._is_ending = is_ending
        self._refuse = refuse

    def answer(self, connection: Connection) -> Outcome:
        """Take the request on a connection, or the reply to it, as far as possible."""
        outcome = self._answer(connection, at_once=False)
        assert outcome is not None
        return outcome

    def answer_at_once(self, connection: Connection) -> Outcome | None:
        """Take a new request as far as is possible without waiting for anything but the client.

        None where `answer` has to go on, in a thread that may wait.
        """
        if len(connection.arriving) > _SHORT:
            return None
        return self._answer(connection, at_once=True)

    def _answer(self, connection: Connection, *, at_once: bool) -> Outcome | None:
        try:
            return self._advance(connection, at_once=at_once)
        except (NoMoreData, StopIteration):
            return Outcome.ENDED
        except OSError:
            return Outcome.BROKEN
        except WouldWait:
            # What has begun to be sent can't be begun again elsewhere.
            log.exception("bug in a reply: it waits where no thread may")
            return Outcome.BROKEN
        except Exception:
            log.exception("bug in answering a request")
            return Outcome.BROKEN

    def _advance(self, connection: Connection, *, at_once: bool) -> Outcome | None:
        if connection.exchange is None:
            connection.exchange = self._begun(connection, at_once=at_once)
        sent = 0
        for step in connection.exchange:
            if isinstance(step, Pending):
                return self._left(connection, step)
            if at_once and (step or sent > _MOST_AT_ONCE):
                return None
            if connection.outgoing >= _TOGETHER:
                sent += connection.outgoing
                if not connection.flush():
                    return Outcome.BLOCKED
        # Where the last pieces were not taken at once, this is where we come again.
        if not connection.flush():
            return Outcome.BLOCKED
        connection.exchange = None
        if not connection.keep:
            return Outcome.ENDED
        connection.arriving.put_back(connection.held.left())
        return Outcome.MORE if connection.arriving.is_whole() else Outcome.KEPT

    def _left(self, connection: Connection, pending: Pending) -> Outcome:
        """Have a reply wait; what was said of it so far goes first, and has to be taken."""
        if not connection.flush():
            return Outcome.BLOCKED
        connection.pending = pending
        return Outcome.PENDING

    def _begun(self, connection: Connection, *, at_once: bool) -> Steps:
        connection.keep = False
        if connection.parser is None:
            connection.parser = RequestParser(self._config, (), connection.client)
            connection.parser.unreader = connection.held
        size, has_header = len(connection.arriving), connection.arriving.header
        connection.held.hold(connection.arriving.release())
        try:
            if size > MOST_HEADER and not has_header:
                raise LimitRequestHeaders(f"no end within {MOST_HEADER} bytes")
            request = next(connection.parser)
            return self._exchange(request, connection, at_once=at_once)
        except (NoMoreData, StopIteration, OSError):
            raise
        except Exception as error:
            self._refuse(None, connection, connection.client, error)
            return _nothing_more()

    def _exchange(self, request: Any, connection: Connection, *, at_once: bool) -> Steps:
        response = Response(request, connection, self._config)
        environ = environ_of(request, connection, at_once=at_once)
        if connection.said_all or self._is_ending() or not self._config.keepalive:
            response.force_close()
        pieces = self._application(environ, response.start_response)
        while isinstance(pieces, Later):
            yield pieces if isinstance(pieces, Pending) else True
            environ[AT_ONCE] = False
            pieces = pieces.answer()
        said: Iterable[Any] = pieces
        try:
            for piece in said:
                if isinstance(piece, Later):
                    # A reply that goes on later: it looks itself whether there is more to say.
                    yield piece if isinstance(piece, Pending) else True
                    continue
                response.write(piece)
                yield False
            response.close()
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        connection.keep = not response.should_close()


def _nothing_more() -> Steps:
    yield from ()
