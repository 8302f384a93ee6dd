"""The subject of an X.509 certificate, enough of DER to compare two identities."""

from __future__ import annotations

import re
import ssl

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL | re.ASCII)
_VERSION = 0xA0


def subject(certificate: bytes) -> bytes:
    """The DER of the subject of a DER certificate (RFC 5280, 4.1); ValueError where it is none."""
    try:
        _, at, _ = _element(certificate, 0)
        _, at, _ = _element(certificate, at)
        tag, _, end = _element(certificate, at)
        if tag == _VERSION:
            at = end
        for _ in ("serialNumber", "signature", "issuer", "validity"):
            _, _, at = _element(certificate, at)
        _, _, end = _element(certificate, at)
    except IndexError:
        raise ValueError("not a DER certificate: it ends too early") from None
    return certificate[at:end]


def subjects_of_file(text: str) -> frozenset[bytes]:
    """The subjects of all certificates in a PEM file.

    A proxy certificate stands in its file before the certificate that issued it, so the subject
    of the user is among them.
    """
    return frozenset(subject(ssl.PEM_cert_to_DER_cert(block)) for block in _PEM.findall(text))


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, where the content begins and where it ends, of the element at `at` (X.690, 8.1)."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise IndexError(at)
    return tag, start, start + length
