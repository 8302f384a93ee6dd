"""Request bodies: read within the limit, chunked ones included, before anything looks at them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aggregator.errors import MalformedRequest, RequestTooLarge

_BLOCK = 65536
#: One parameter of a media type (RFC 9110, section 5.6.6), its value quoted or not.
_PARAMETER = re.compile(r""";\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;]*))""")
_PLAIN_CODINGS = frozenset({"", "identity"})


def read_body(environ: Mapping[str, Any], *, limit: int) -> bytes:
    """The whole body; raises RequestTooLarge as soon as it is over `limit` bytes.

    A declared length is not believed: what comes is counted (GT clients send chunks and declare
    none). What is over the limit is not read, the connection ends with the fault. Raises
    MalformedRequest for a body that breaks off or is compressed.
    """
    coding = str(environ.get("HTTP_CONTENT_ENCODING") or "").strip().lower()
    if coding not in _PLAIN_CODINGS:
        raise MalformedRequest(
            f"Content-Encoding {coding[:40]!r} is not read here; send the body as it is"
        )
    declared = _declared_length(environ)
    stream = environ["wsgi.input"]
    pieces: list[bytes] = []
    size = 0
    while piece := _read(stream, size):
        size += len(piece)
        if size > limit:
            told = f"has {declared} bytes" if declared and declared > limit else "is longer"
            raise RequestTooLarge(f"the body {told}; at most {limit} bytes are read")
        pieces.append(piece)
    if declared is not None and size < declared:
        raise MalformedRequest(f"the body ended after {size} of {declared} declared bytes")
    return b"".join(pieces)


def _read(stream: Any, size: int) -> bytes:
    try:
        return bytes(stream.read(_BLOCK))
    except Exception as error:
        # A connection that was reset, a chunk that is none: a server may raise what it likes.
        raise MalformedRequest(f"the body broke off after {size} bytes") from error


def _declared_length(environ: Mapping[str, Any]) -> int | None:
    text = str(environ.get("CONTENT_LENGTH") or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def charset_of(environ: Mapping[str, Any]) -> str:
    """The charset that the Content-Type names, empty without one.

    Raises MalformedRequest for media types that can't hold a plain envelope.
    """
    content_type = str(environ.get("CONTENT_TYPE") or "")
    media = content_type.partition(";")[0].strip()
    if media.lower().startswith("multipart/"):
        raise MalformedRequest(
            f"{media[:60]} is not read here; send the envelope as text/xml (SOAP 1.1) or "
            "application/soap+xml (SOAP 1.2)"
        )
    for name, *values in _PARAMETER.findall(content_type):
        if name.lower() == "charset":
            return "".join(values).strip()
    return ""
