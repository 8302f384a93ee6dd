"""What GET answers: WSDL, schemas, health, metrics, and short pages for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qs, quote

from aggregator.errors import RequestError, StoreUnavailable
from aggregator.server import health, metrics, pages
from aggregator.server.request import Target
from aggregator.server.routes import ENTRY_SUFFIX, OTHER_SERVICES, SERVICES, parse_target
from aggregator.server.schemas import schema
from aggregator.server.series_page import series_page
from aggregator.server.site import Site
from aggregator.server.wsdl import wsdl

_XML = "text/xml; charset=utf-8"
_JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_SCHEMAS = "/schemas/"


@dataclass(frozen=True, slots=True)
class Document:
    """An answer to GET, whole."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def get_document(site: Site, path: str, query: str) -> Document:
    """The document at a path; 404 with the way to the front page where there is none."""
    if path in _FIXED:
        return _FIXED[path](site)
    if path.startswith(_SCHEMAS):
        found = schema(path.removeprefix(_SCHEMAS))
        return _not_found(path) if found is None else Document(200, _XML, found)
    target = parse_target(path, site.registry.groups)
    if target is None:
        return _not_found(path)
    # Whether there is a consumer or a subscription of a key is told to who sends to it alone.
    if target.kind == "entry" and target.key and not _is_there(site, target):
        return Document(404, _HTML, pages.no_entry_page(site, target))
    asked = {name.lower(): values for name, values in parse_qs(query, True).items()}
    return _of_service(site, target, asked)


def _of_service(site: Site, target: Target, asked: Mapping[str, Sequence[str]]) -> Document:
    if "wsdl" in asked:
        return _wsdl(site, target, asked["wsdl"][-1].lower())
    if "series" in asked and target.kind == "group":
        return _series(site, target.group, asked)
    return Document(200, _HTML, pages.service_page(site, target))


def _is_there(site: Site, target: Target) -> bool:
    """Whether an entry is there, as far as can be known now."""
    try:
        view = site.views.current(target.group)
    except StoreUnavailable:
        return True
    # It may have been added, or renewed, after this worker last knew the store.
    is_unknown = view.stale_since is not None
    return is_unknown or view.entry(target.key, now=site.registry.store.clock.now()) is not None


def _wsdl(site: Site, target: Target, dialect: str) -> Document:
    # The drafts have no pull points.
    known = ("", "oasis") if target.kind == "pullpoint" else ("", "oasis", "gt4")
    if dialect not in known:
        more = " or ?wsdl=gt4" if "gt4" in known else ""
        text = f"there is no WSDL for {dialect[:40]!r}; ask for ?wsdl (oasis){more}\n"
        return Document(404, "text/plain; charset=utf-8", text.encode())
    archived = target.kind == "group" and site.registry.group(target.group).settings.is_archived
    document = wsdl(
        "archived" if archived else target.kind,
        "gt4" if dialect == "gt4" else "oasis",
        address=_address(site, target),
        schemas=f"{site.public_url}/schemas",
    )
    return Document(200, _XML, document)


def _series(site: Site, group: str, asked: Mapping[str, Sequence[str]]) -> Document:
    try:
        return Document(200, _JSON, series_page(site, group, asked))
    except RequestError as error:
        return Document(400, _JSON, json.dumps({"error": error.message}).encode() + b"\n")
    except StoreUnavailable as error:
        headers = {"Retry-After": str(error.retry_after)}
        text = json.dumps({"error": error.message}).encode() + b"\n"
        return Document(503, _JSON, text, headers)


def _address(site: Site, target: Target) -> str:
    """Where a service is called: the key of an entry is in a header too, no other is."""
    base = site.public_url + SERVICES
    if target.kind == "group":
        return base + target.group
    if target.kind == "entry":
        return base + target.group + ENTRY_SUFFIX
    service = base + OTHER_SERVICES[target.kind]
    return f"{service}/{quote(target.key)}" if target.key else service


def _health(site: Site) -> Document:
    return Document(200, _JSON, health.alive())


def _ready(site: Site) -> Document:
    ready, body = health.ready(site)
    headers = {} if ready else {"Retry-After": "1"}
    return Document(200 if ready else 503, _JSON, body, headers)


def _metrics(site: Site) -> Document:
    content_type, body = metrics.exposition(site)
    return Document(200, content_type, body)


def _front(site: Site) -> Document:
    return Document(200, _HTML, pages.front_page(site))


def _not_found(path: str) -> Document:
    text = f"nothing is at {path[:200]!r}; the front page is /\n"
    return Document(404, "text/plain; charset=utf-8", text.encode())


_FIXED: Mapping[str, Callable[[Site], Document]] = {
    "/": _front,
    "/healthz": _health,
    "/readyz": _ready,
    "/metrics": _metrics,
}
