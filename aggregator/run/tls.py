"""The TLS of the web side: 1.2 and later, client certificates verified where they are asked for."""

from __future__ import annotations

import ssl
from typing import Any


def server_context(*, cert: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """The context of a server; the names are those of PEM files, `key` may be that of `cert`.

    With `client_ca` clients may present a certificate, and one of another authority, or one that
    is out of its time, ends the handshake. Raises OSError for files that can't be used.
    """
    # Not create_default_context: from Python 3.13 on it refuses client certificates of authorities
    # that lack newer extensions, and grids have such.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An end of reading that comes without TLS's own word for it, as our deadlines make it, must not
    # end writing too. That nothing is cut off is seen by lengths and chunks.
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    context.load_cert_chain(cert, key)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def context_of(config: Any, _: object) -> ssl.SSLContext:
    """gunicorn's hook ``ssl_context``."""
    return server_context(cert=config.certfile, key=config.keyfile, client_ca=config.ca_certs or "")
