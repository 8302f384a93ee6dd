"""The WSGI environment of a request (PEP 3333), from what gunicorn's parser has read.

gunicorn makes one too, which serves proxies, sockets of other kinds and hints; that takes twice as
long, which is a twelfth of the time of a renewal.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from aggregator.run.connection import Connection
from aggregator.waiting import AT_ONCE

#: Headers that WSGI names otherwise than by their own name with ``HTTP_`` before it.
_BARE = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}


def environ_of(request: Any, connection: Connection, *, at_once: bool) -> dict[str, Any]:
    """The environment of gunicorn's `request`; `at_once` for a thread that must not wait.

    Names of headers are clear of underscores: gunicorn's parser drops those that have some, so
    that two headers never share a name here (RFC 9110, section 17.10).
    """
    client, server = connection.client, connection.server
    environ = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": request.body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "gunicorn.socket": connection,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/{request.version[0]}.{request.version[1]}",
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": str(client[0]),
        "REMOTE_PORT": str(client[1]),
        AT_ONCE: at_once,
    }
    for name, value in request.headers:
        key = _BARE.get(name) or "HTTP_" + name.replace("-", "_")
        if key not in environ:
            environ[key] = value
        elif name not in _BARE:
            environ[key] += f",{value}"
    return environ
