"""A service that speaks https, with authorities, certificates and clients for it."""

from __future__ import annotations

import contextlib
import datetime
import json
import sqlite3
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests import soap
from tests.integration.authority import Authority, Pair
from tests.service import READY_WITHIN, RunningService, start_service
from tests.waiting import until

LONG_AGO = datetime.datetime(2024, 1, 2)


@dataclass(frozen=True, slots=True)
class Secured:
    """The service, its authority, and the authority of nobody that it knows."""

    service: RunningService
    authority: Authority
    strangers: Authority
    server: Pair

    def context(self, pair: Pair | None = None) -> ssl.SSLContext:
        """The TLS of a client that trusts the service's authority and presents a certificate."""
        context = ssl.create_default_context(cafile=self.authority.file)
        # The authorities of this test have no newer extensions, as old ones have not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        return context

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the service."""
        parts = urlsplit(self.service.url)
        return parts.hostname or "", parts.port or 0

    def get(self, path: str, pair: Pair | None = None) -> str:
        """GET a page."""
        context = self.context(pair)
        with urllib.request.urlopen(self.service.url + path, timeout=15, context=context) as answer:
            return str(answer.read().decode())

    def call(self, url: str, body: str, pair: Pair | None = None) -> soap.Answer:
        """Send the body of a request."""
        return soap.post(url, soap.envelope(body), context=self.context(pair), timeout=15)

    def owner(self, key: str) -> str:
        """Who owns an entry, by the store."""
        database = f"file:{self.service.data_dir / 'aggregator.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            (found,) = connection.execute(
                "SELECT owner FROM entries JOIN entry_state ON entry_id = id WHERE key = ?", (key,)
            ).fetchone()
        return str(found)


@contextlib.contextmanager
def secured_service(
    folder: Path, *, config: str, clients: bool = True, options: Sequence[str] = ()
) -> Iterator[Secured]:
    """A service over https that runs as long as the block."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, strangers = Authority(folder), Authority(folder, "strangers")
    server = authority.issue("server", address="127.0.0.1")
    asked = ["--tls-cert", server.cert, "--tls-key", server.key, *options]
    if clients:
        asked += ["--client-ca", authority.file]
    service = start_service(folder / "service", config=config, options=asked, scheme="https")
    secured = Secured(service, authority, strangers, server)
    try:
        until(lambda: _is_ready(secured), within=READY_WITHIN, what=service.logs)
        yield secured
    finally:
        if service.process.poll() is None:
            try:
                service.stop()
            except subprocess.TimeoutExpired:
                service.kill()


def _is_ready(secured: Secured) -> bool:
    try:
        return bool(json.loads(secured.get("/readyz"))["status"] == "ready")
    except OSError:
        return False
