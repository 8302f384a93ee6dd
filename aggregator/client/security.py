"""TLS as a client: who we are, which authorities are trusted, who the server must be."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aggregator.client.identity import subject, subjects_of_file
from aggregator.errors import ConfigError

#: Whom a server must be: its certificate names the host (``host``), names us (``self``), or only
#: comes from a trusted authority (``none``).
Authorization = Literal["host", "self", "none"]

#: What `find_credentials` says where it finds none; commands add how to do without.
MISSING = (
    "no client certificate: give --cert and --key, or set X509_USER_CERT and X509_USER_KEY, "
    "or X509_USER_PROXY"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Paths of our certificate chain and of its private key, PEM; one file may hold both."""

    certificate: str
    key: str


def find_credentials(
    *, cert: str = "", key: str = "", environ: Mapping[str, str] | None = None
) -> Credentials | None:
    """Our credentials: as given, else X509_USER_CERT and X509_USER_KEY, else X509_USER_PROXY.

    None where nothing names any. Raises ConfigError for a file that can't be read or a
    certificate without its key.
    """
    environ = os.environ if environ is None else environ
    if cert or key:
        return _checked(cert, key, names=("--cert", "--key"))
    user_cert, user_key = environ.get("X509_USER_CERT", ""), environ.get("X509_USER_KEY", "")
    if user_cert or user_key:
        return _checked(user_cert, user_key, names=("X509_USER_CERT", "X509_USER_KEY"))
    if proxy := environ.get("X509_USER_PROXY", ""):
        return _checked(proxy, proxy, names=("X509_USER_PROXY", "X509_USER_PROXY"))
    return None


def _checked(cert: str, key: str, *, names: tuple[str, str]) -> Credentials:
    if not cert:
        raise ConfigError(f"{names[1]} names a key, but {names[0]} no certificate: give both")
    text = _read(cert, names[0])
    if "BEGIN CERTIFICATE" not in text:
        raise ConfigError(f"{names[0]} {cert} holds no certificate in PEM form")
    if "PRIVATE KEY" not in (_read(key, names[1]) if key else text):
        raise ConfigError(
            f"{names[1]} {key} holds no private key in PEM form"
            if key
            else f"{names[0]} {cert} holds no private key: name its file with {names[1]}"
        )
    return Credentials(cert, key or cert)


def _read(path: str, name: str) -> str:
    try:
        return Path(path).read_text(encoding="latin-1")
    except OSError as error:
        raise ConfigError(f"{name} {path} can't be read: {error.strerror}") from error


class TlsContext(ssl.SSLContext):
    """An SSLContext that may demand one of some subjects of the server."""

    subjects: frozenset[bytes] = frozenset()

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """As the standard's, and refuse a server of another subject."""
        wrapped = super().wrap_socket(*args, **kwargs)
        if self.subjects and subject(wrapped.getpeercert(True) or b"") not in self.subjects:
            wrapped.close()
            raise ssl.SSLCertVerificationError(
                "the server's certificate does not bear our own subject, as -z self demands"
            )
        return wrapped


def tls_context(
    credentials: Credentials | None,
    *,
    ca: str = "",
    authorization: Authorization = "host",
    environ: Mapping[str, str] | None = None,
) -> TlsContext:
    """The context for all connections.

    `ca` is a file or a folder of trusted authorities; without it X509_CERT_DIR counts, and
    without that what the system trusts. Raises ConfigError where a file does not work.
    """
    environ = os.environ if environ is None else environ
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = authorization == "host"
    # Python 3.13 began to refuse authorities that lack newer extensions; old grids still use such.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    _trust(context, ca or environ.get("X509_CERT_DIR", ""))
    if credentials is not None:
        try:
            context.load_cert_chain(credentials.certificate, credentials.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"certificate {credentials.certificate} with key {credentials.key} "
                f"can't be used: {error}"
            ) from error
    if authorization == "self":
        if credentials is None:
            raise ConfigError(f"-z self compares the server's identity with ours, but {MISSING}")
        context.subjects = subjects_of_file(_read(credentials.certificate, "the certificate"))
    return context


def _trust(context: TlsContext, ca: str) -> None:
    if not ca:
        context.load_default_certs()
        return
    try:
        if Path(ca).is_dir():
            context.load_verify_locations(capath=ca)
        else:
            context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the trusted authorities in {ca} can't be read: {error}") from error
