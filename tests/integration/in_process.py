"""The service as a WSGI callable in the test's own process, and questions to it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aggregator.registry.opening import store_of
from aggregator.server.application import create_site
from aggregator.server.wsgi import WsgiService
from aggregator.store.migrate import migrate
from tests import soap
from tests.integration.evaluator_kit import settings_of

GROUP = "/wsrf/services/DefaultIndexService"
#: A registration that looks for no file, as one that runs a probe does.
POLL = soap.get_property_config("w:foo", millis=3_600_000, declare='xmlns:w="urn:w"')


@contextmanager
def in_process(folder: Path, url: str = "") -> Iterator[WsgiService]:
    """A service with default settings on an empty database; no evaluator answers it."""
    settings = settings_of(folder, url)
    store = store_of(settings)
    migrate(store)
    store.close()
    site = create_site(settings, query_socket=folder / "nobody")
    try:
        yield WsgiService(site)
    finally:
        site.registry.store.close()


def environ_of_post(content: bytes, *, path: str = GROUP, soap12: bool = False) -> dict[str, Any]:
    """The environment of a request that brings an envelope."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_TYPE": f"{'application/soap+xml' if soap12 else 'text/xml'}; charset=utf-8",
        "CONTENT_LENGTH": str(len(content)),
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "index",
        "SERVER_PORT": "8080",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
    }


def asked(service: WsgiService, environ: dict[str, Any]) -> tuple[str, list[Any], bytes]:
    """Status, headers and content of an answer."""
    told: list[Any] = []
    pieces = service(environ, lambda *a: told.extend(a))
    return told[0], sorted(told[1]), b"".join(pieces)
