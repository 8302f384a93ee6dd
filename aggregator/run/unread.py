"""Says in a reply that the connection ends, where the request was not read to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[Any, Any], Iterable[bytes]]


def telling_ends(application: Application) -> Application:
    """The WSGI application, its replies to what it has left unread with ``Connection: close``.

    gunicorn ends such a connection, but only after a reply that says keep-alive; the next request
    of a client that believes it is lost (RFC 9112, section 9.6).
    """

    def call(environ: Any, start_response: Any) -> Iterable[bytes]:
        response = start_response.__self__

        def start(*said: Any) -> Any:
            if _is_left(response.req.body):
                response.force_close()
            return start_response(*said)

        return application(environ, start)

    return call


def _is_left(body: Any) -> bool:
    """Whether gunicorn's request body has a rest: of a declared length, of chunks, of a failure."""
    reader = body.reader
    return bool(body.failed or getattr(reader, "length", 0) or getattr(reader, "parser", None))
