"""What QueryArchive asks for: an expression, a time, a member, how much, and where to go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aggregator.errors import ConfigError, InvalidQuery, RequestError, UnknownQueryDialect
from aggregator.registry.fingerprint import references_digest
from aggregator.store.archive_reading import Wanted
from aggregator.store.archive_unpacking import Place
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import read_epr
from aggregator.wire.parse import Element, text_of
from aggregator.wire.times import parse_datetime

#: Documents that are answered from at once, where nobody asks for fewer.
MOST = 1000
#: An instant that is later than any that is kept.
END = 2**62
_TOKEN = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """A query of an archive: `most` documents at most, after the place `after`."""

    expression: str
    namespaces: Mapping[str, str]
    wanted: Wanted
    most: int = MOST
    after: Place | None = None


def read_question(body: Element) -> Question:
    """What a QueryArchive element asks for; raises RequestError, naming what is wrong."""
    parts: dict[str, Element] = {}
    for child in body.iterchildren(tag="*"):
        name = str(child.tag).rpartition("}")[2]
        if name not in _PARTS:
            raise RequestError(f"{name[:100]!r} is no part of QueryArchive; {_KNOWN}")
        if name in parts:
            raise RequestError(f"QueryArchive holds {name} twice; one is enough")
        parts[name] = child
    expression = _expression(parts.get("QueryExpression"))
    texts = {name: text_of(element) for name, element in parts.items()}
    since, until = _moment(texts, "From", 0), _moment(texts, "To", END)
    if since > until:
        raise RequestError(f"From ({texts['From']}) is after To ({texts.get('To')})")
    address, reference = _member(parts.get("MemberEPR"))
    return Question(
        expression=text_of(expression),
        namespaces={prefix: uri for prefix, uri in expression.nsmap.items() if prefix},
        wanted=Wanted(since, until, address, reference, texts.get("EntryKey", "")),
        most=_limit(texts.get("Limit")),
        after=_place(texts.get("After")),
    )


_PARTS = ("QueryExpression", "From", "To", "MemberEPR", "EntryKey", "Limit", "After")
_KNOWN = f"it may hold {', '.join(_PARTS)}"


def token(place: Place) -> str:
    """How a place is written; nobody need understand it."""
    return f"{place.first}-{place.stream}"


def _expression(element: Element | None) -> Element:
    if element is None:
        raise InvalidQuery("QueryArchive has no QueryExpression; it needs an XPath 1.0")
    dialect = element.get("Dialect")
    if dialect is not None and dialect.strip() not in ns.XPATH_DIALECTS:
        raise UnknownQueryDialect(
            f"the query dialect {dialect[:200]!r} is not spoken here; send {ns.XPATH_1}"
        )
    if next(element.iterchildren(tag="*"), None) is not None:
        raise InvalidQuery("the QueryExpression holds elements; XPath is text")
    return element


def _moment(texts: Mapping[str, str], name: str, otherwise: int) -> int:
    if name not in texts:
        return otherwise
    try:
        instant = parse_datetime(texts[name])
    except ValueError as error:
        raise RequestError(f"{name}: {error}") from error
    return END if instant is None else max(instant, 0)


def _member(element: Element | None) -> tuple[str, str]:
    """Address and digest of the references of a member; empty for any."""
    if element is None:
        return "", ""
    try:
        epr = read_epr(element)
    except ConfigError as error:
        raise RequestError(str(error)) from error
    return epr.address, references_digest(epr)


def _limit(text: str | None) -> int:
    if text is None:
        return MOST
    if not _NUMBER.fullmatch(text):
        raise RequestError(f"Limit: {text[:60]!r} is no whole number above 0")
    return min(int(text), MOST)


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise RequestError(
            f"After: {text[:60]!r} is none of ours; send what the reply before said in `next`"
        )
    return Place(int(found[1]), int(found[2]))
