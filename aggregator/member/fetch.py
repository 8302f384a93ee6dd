"""What a URL answers to a GET, bounded in time and size."""

from __future__ import annotations

import ssl

import pycurl

from aggregator.errors import CollectError

_OK = 200
_CODES = {
    pycurl.E_OPERATION_TIMEDOUT: ("timeout", "no whole answer came in time"),
    pycurl.E_WRITE_ERROR: ("too-large", "the answer is larger than max_output"),
    pycurl.E_FILESIZE_EXCEEDED: ("too-large", "the answer is larger than max_output"),
}


def fetch(url: str, *, timeout: float, max_output: int) -> bytes:
    """The body of the answer. Blocks; redirects are not followed. Raises CollectError."""
    body = bytearray()

    def take(piece: bytes) -> int:
        if len(body) + len(piece) > max_output:
            return 0  # Tells curl to stop.
        body.extend(piece)
        return len(piece)

    curl = pycurl.Curl()
    try:
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TIMEOUT_MS, int(timeout * 1000))
        curl.setopt(pycurl.USERAGENT, "mds-aggregator member")
        curl.setopt(pycurl.ACCEPT_ENCODING, "")
        curl.setopt(pycurl.WRITEFUNCTION, take)
        # The libcurl of a wheel looks for the authorities where its builder had them.
        if authorities := ssl.get_default_verify_paths().cafile:
            curl.setopt(pycurl.CAINFO, authorities)
        curl.perform()
        status = curl.getinfo(pycurl.RESPONSE_CODE)
    except pycurl.error as error:
        code, text = _CODES.get(error.args[0], ("connection", "the address could not be reached"))
        raise CollectError(text, code=code, detail=str(error.args[1])) from error
    finally:
        curl.close()
    if status != _OK:
        raise CollectError(f"the address answered with HTTP status {status}", code="http-status")
    return bytes(body)
