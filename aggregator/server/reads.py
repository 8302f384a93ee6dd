"""The reads of WS-ResourceProperties, the same for a group and for an entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from aggregator.errors import (
    ConfigError,
    InvalidPropertyName,
    InvalidQuery,
    UnknownQueryDialect,
)
from aggregator.server.metrics import observe_query
from aggregator.server.properties import (
    Elements,
    Scene,
    all_elements,
    find,
    named,
    others_than_entries,
)
from aggregator.server.request import Reply, Request
from aggregator.view.properties import ENTRY_ROOT, GROUP_ROOT
from aggregator.view.query_client import QueryRequest, QueryResult
from aggregator.view.whole import is_whole_document
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import LITE, Dialect, family
from aggregator.wire.parse import Element, text_of
from aggregator.wire.qnames import read_qname
from aggregator.wire.text import xml_text


def get_property(scene: Scene, request: Request) -> Reply:
    """GetResourceProperty: all elements of one property."""
    names = [_name(scene, request, request.envelope.body)]
    return _response(request, find(scene, names, dialect=_family(request)), scene)


def get_properties(scene: Scene, request: Request) -> Reply:
    """GetMultipleResourceProperties: those of several, each once, in the order of the request."""
    tag = ns.clark(request.dialect.rp, "ResourceProperty")
    body = request.envelope.body
    if body.find(tag) is None:
        raise InvalidPropertyName(f"the request names no property; it needs one {tag} at least")
    names = (_name(scene, request, element) for element in body.iterchildren(tag=tag))
    return _response(request, find(scene, names, dialect=_family(request)), scene)


def get_document(scene: Scene, request: Request) -> Reply:
    """GetResourcePropertyDocument: the whole property document."""
    return _response(request, [_document(scene, request)], scene)


def query(scene: Scene, request: Request) -> Reply:
    """QueryResourceProperties: XPath 1.0 on the property document.

    The whole document is answered from the view, a form that is asked again and again from a table
    of it; all else goes to the evaluator.
    """
    expression = _expression(request)
    text = text_of(expression)
    if is_whole_document(text):
        return _response(request, [_document(scene, request)], scene)
    namespaces = {p: uri for p, uri in expression.nsmap.items() if p}
    found = _from_table(scene, request, text, namespaces)
    by = "evaluator" if found is None else "table"
    if found is None:
        found = scene.site.queries.query(
            QueryRequest(
                group=scene.group.name,
                entry_key=None if scene.entry is None else scene.entry.key,
                family=request.dialect.family,
                expression=text,
                namespaces=namespaces,
                sequence=scene.view.sequence,
                caller=request.caller.owner,
            )
        )
    observe_query(by)
    pieces = list(found.chunks)
    if found.is_text:
        pieces = [xml_text(piece.decode()).encode() for piece in pieces]
    return _response(request, [Elements(pieces, sum(map(len, pieces)))], scene)


def _from_table(
    scene: Scene, request: Request, expression: str, namespaces: Mapping[str, str]
) -> QueryResult | None:
    if scene.entry is not None:
        return None
    scene.view.expire(scene.now)
    return scene.site.tables.answer(
        scene.view,
        scene.view.frame(_family(request)),
        expression,
        namespaces,
        root=scene.group.settings.root_element or GROUP_ROOT,
        others=lambda: others_than_entries(scene, dialect=_family(request)),
    )


def _family(request: Request) -> Dialect:
    return family(request.dialect.name)


def _name(scene: Scene, request: Request, element: Element) -> str:
    if request.dialect is LITE and ":" not in (text := text_of(element)):
        # The scripts of WSRF::Lite name properties without a prefix, whatever is the default
        # namespace there.
        return named(scene, text, dialect=_family(request)) or text
    try:
        return read_qname(element)
    except ConfigError as error:
        raise InvalidPropertyName(str(error)) from error


def _expression(request: Request) -> Element:
    expression = request.envelope.body.find(ns.clark(request.dialect.rp, "QueryExpression"))
    if expression is None:
        raise InvalidQuery("the request has no QueryExpression")
    spellings = ("Dialect", ns.clark(request.dialect.rp, "Dialect"), "dialect")
    given = next((text for name in spellings if (text := expression.get(name))), None)
    if given is not None and given.strip() not in ns.XPATH_DIALECTS:
        raise UnknownQueryDialect(
            f"the query dialect {given[:200]!r} is not spoken here; send {ns.XPATH_1}"
        )
    if next(expression.iterchildren(tag="*"), None) is not None:
        raise InvalidQuery("the QueryExpression holds elements; XPath is text")
    return expression


def _document(scene: Scene, request: Request) -> Elements:
    root = scene.group.settings.root_element or GROUP_ROOT
    if scene.entry is not None:
        root = ENTRY_ROOT
    namespace, _, local = root.rpartition("}")
    opening = f'<doc:{local} xmlns:doc="{namespace[1:]}">'.encode()
    if not namespace:
        opening = f"<{local}>".encode()
    closing = f"</{'doc:' if namespace else ''}{local}>".encode()
    parts = list(all_elements(scene, dialect=_family(request)))
    pieces = chain((opening,), chain.from_iterable(part.pieces for part in parts), (closing,))
    return Elements(pieces, len(opening) + len(closing) + sum(part.size for part in parts))


def _response(request: Request, found: Iterable[Elements], scene: Scene) -> Reply:
    name = f"{request.operation.name}Response"
    opening = f'<rp:{name} xmlns:rp="{request.dialect.rp}">'.encode()
    closing = f"</rp:{name}>".encode()
    parts = list(found)
    pieces = chain((opening,), chain.from_iterable(part.pieces for part in parts), (closing,))
    size = len(opening) + len(closing) + sum(part.size for part in parts)
    return Reply(pieces, size, _staleness(scene))


def _staleness(scene: Scene) -> dict[str, str]:
    """Tell a reader when the store is away and the view is older than the request."""
    if scene.stale_since is None:
        return {}
    age = max(0, (scene.now - scene.stale_since) // 1_000_000)
    return {"Warning": '110 mds-aggregator "Response is Stale"', "Age": str(age)}
