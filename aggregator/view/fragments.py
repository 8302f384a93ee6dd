"""An entry as ready bytes: what its dialects share is kept once, what differs frames it.

How an entry of one dialect reads in the other: the EPRs are written anew in the WS-Addressing of
the reader, AggregatorConfig and AggregatorData are the bytes that arrived. Every fragment declares
the prefixes that it uses and expects no default namespace around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape

from aggregator.model import Entry, Health
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, Dialect
from aggregator.wire.epr import EndpointReference, entry_key, read_epr, write_epr_content
from aggregator.wire.parse import NO_LIMITS, parse, serialise
from aggregator.wire.times import MILLISECOND, format_datetime

#: Code of the AggregatorError of an entry whose data is older than its intervals allow.
STALE = "stale"
#: The one visibility there is; rules of access will add others.
PUBLIC = "public"
#: Stands for an entry's key while a frame is made; XML cannot hold it, so nothing else is it.
_KEY = "\0"
_XML_ID = ns.clark(ns.XML, "id")
#: An EPR that is an address and nothing else, as most are; parsing it takes thirty times as long,
#: and after a start every entry has one to write. What is stored has been parsed once, so an only
#: child named Address is the one of WS-Addressing.
_PLAIN_EPR = re.compile(
    rb"<[^<>]*>\s*<(?:[\w.-]+:)?Address(?:\s[^<>]*)?>([^<>&]*)</[^<>]*>\s*</[^<>]*>\s*"
)


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What the fragments of a group need to know of it; `address` is that of its service."""

    name: str
    address: str
    publish_configuration: bool = True
    stale_intervals: int = 3

    def entry_epr(self, key: str) -> EndpointReference:
        """The EPR of an entry: the key is in the path and, once more, a reference parameter."""
        return EndpointReference(
            address=f"{self.address}Entry/{key}", parameters=(entry_key(self.name, key),)
        )


@dataclass(frozen=True, slots=True)
class EntryFrame:
    """What all Entry elements of a group have in common in a dialect, cut where they differ."""

    family: str
    opening: bytes
    key: bytes
    member: bytes
    content: bytes
    plain_content: bytes
    closing: bytes


@dataclass(slots=True)
class Published:
    """A ServiceGroupEntry as the views hold it.

    `body` is the children of Content without AggregatorError, `error` that element (empty while
    all is well); both read the same in every dialect. The bytes never change, so a reader may
    use them without a lock; `termination` and `health` do.
    """

    id: int
    key: str
    owner: str
    version: int
    interval: int
    first_seen: int
    has_config: bool
    member: bytes
    body: bytes
    error: bytes
    termination: int | None
    health: Health
    visibility: str = PUBLIC
    _eprs: list[bytes] = field(default_factory=list, repr=False, compare=False)

    def member_epr(self, family: str) -> bytes:
        """The children of the member's EPR, prefix ``wsa`` taken as declared; made on first use."""
        if not self._eprs:
            self._eprs = _epr_contents(self.member)
        return self._eprs[0 if family == "gt4" else -1]

    def saw_success(self, instant: int | None) -> None:
        """Note a success that changed nothing else."""
        if instant != self.health.last_success:
            self.health = replace(self.health, last_success=instant)

    def is_alive(self, now: int) -> bool:
        """Whether the entry has not expired at `now`."""
        return self.termination is None or self.termination > now


def _epr_contents(member: bytes) -> list[bytes]:
    if plain := _PLAIN_EPR.fullmatch(member):
        return [b"<wsa:Address>" + plain[1].strip() + b"</wsa:Address>"]
    epr = read_epr(parse(member, limits=NO_LIMITS))
    return [write_epr_content(epr, dialect=dialect) for dialect in FAMILIES]


def publish(entry: Entry, *, facts: GroupFacts, now: int) -> Published:
    """The entry as the views hold it; `now` is when it is first seen."""
    return Published(
        id=entry.id,
        key=entry.key,
        owner=entry.owner,
        version=entry.version,
        interval=entry.interval,
        first_seen=now,
        has_config=bool(entry.config),
        member=without_ids(entry.member),
        body=_body(entry, facts),
        error=aggregator_error(entry.health) if entry.health.error_code else b"",
        termination=entry.termination,
        health=entry.health,
    )


def without_ids(xml: bytes) -> bytes:
    """An element without the xml:id attributes in it, which must be unique in a document.

    In that of a group are many elements that know nothing of each other, and one id that comes
    twice makes it unreadable for the parsers of most clients (xml:id 1.0, section 4).
    """
    if b"xml:id" not in xml:
        return xml
    root = parse(xml, limits=NO_LIMITS)
    for element in root.iter("*"):
        if _XML_ID in element.attrib:
            del element.attrib[_XML_ID]
    return serialise(root)


def stale_at(entry: Published, facts: GroupFacts) -> int | None:
    """When the entry's data gets too old, None where that never comes or an error tells already.

    An entry that was never collected is measured from when it was first seen.
    """
    if entry.interval <= 0 or entry.health.error_code:
        return None
    since = entry.health.last_success
    allowed = facts.stale_intervals * entry.interval * MILLISECOND
    return (entry.first_seen if since is None else since) + allowed


def as_stale(entry: Published, facts: GroupFacts) -> Published:
    """The entry with an AggregatorError that says that its data is old."""
    health = replace(
        entry.health,
        error_code=STALE,
        error_message=f"no new data for {facts.stale_intervals} intervals of "
        f"{entry.interval} milliseconds",
        since=stale_at(entry, facts),
    )
    return replace(entry, error=aggregator_error(health), _eprs=entry._eprs)


def _body(entry: Entry, facts: GroupFacts) -> bytes:
    data = b"".join(map(without_ids, entry.data))
    if not entry.config:
        return data
    config = b"<agg:AggregatorConfig/>"
    if facts.publish_configuration:
        config = without_ids(entry.config)
    return b"".join((config, b"<agg:AggregatorData>", data, b"</agg:AggregatorData>"))


def aggregator_error(health: Health) -> bytes:
    """The AggregatorError element that tells the trouble in `health`; ``agg`` is declared."""
    told = health_element(
        code=health.error_code,
        message=health.error_message,
        since=health.since,
        lastSuccess=health.last_success,
        consecutiveFailures=health.consecutive_failures,
    )
    return b"".join((b"<agg:AggregatorError>", told, b"</agg:AggregatorError>"))


def health_element(**values: str | int | None) -> bytes:
    """The health element; instants are given by the names that say so, None is left out."""
    parts = []
    for name, value in values.items():
        if value is None:
            continue
        moment = isinstance(value, int) and name in ("since", "lastAttempt", "lastSuccess")
        text = format_datetime(int(value)) if moment else escape(_printable(str(value)))
        parts.append(f"<h:{name}>{text}</h:{name}>")
    return f'<h:health xmlns:h="{ns.HEALTH}">{"".join(parts)}</h:health>'.encode()


def _printable(text: str) -> str:
    # Members and probes choose what messages quote, and XML has no place for control characters.
    return "".join(c if c.isprintable() or c in "\t\n" else "?" for c in text)


def content_opening(dialect: Dialect, *, has_config: bool, declare: bool = False) -> str:
    """The start tag of Content; the drafts name its type, the final standard has none to name."""
    outer = f' xmlns:sg="{dialect.sg}" xmlns:agg="{ns.AGG}"' if declare else ""
    if dialect.family == "gt4" and has_config:
        outer += f' xmlns:xsi="{ns.XSI}" xsi:type="agg:AggregatorContent"'
    return f"<sg:Content{outer}>"


def entry_frame(facts: GroupFacts, dialect: Dialect) -> EntryFrame:
    """The frame of the group's Entry elements in `dialect`."""
    epr = write_epr_content(facts.entry_epr(_KEY), dialect=dialect).decode()
    before, between, after = (
        f'<sg:Entry xmlns:sg="{dialect.sg}" xmlns:wsa="{dialect.wsa}" xmlns:agg="{ns.AGG}">'
        f"<sg:ServiceGroupEntryEPR>{epr}</sg:ServiceGroupEntryEPR><sg:MemberServiceEPR>"
    ).split(_KEY)
    middle = "</sg:MemberServiceEPR>"
    return EntryFrame(
        family=dialect.family,
        opening=before.encode(),
        key=between.encode(),
        member=after.encode(),
        content=(middle + content_opening(dialect, has_config=True)).encode(),
        plain_content=(middle + content_opening(dialect, has_config=False)).encode(),
        closing=b"</sg:Content></sg:Entry>",
    )


def entry_pieces(entry: Published, frame: EntryFrame) -> tuple[bytes, ...]:
    """The Entry element in pieces, to be joined; the constant ones are shared by all entries."""
    key = entry.key.encode()
    return (
        frame.opening,
        key,
        frame.key,
        key,
        frame.member,
        entry.member_epr(frame.family),
        frame.content if entry.has_config else frame.plain_content,
        entry.body,
        entry.error,
        frame.closing,
    )


def entry_fragment(entry: Published, frame: EntryFrame) -> bytes:
    """The Entry element (WS-ServiceGroup 1.2, section 3.2) as bytes that stand alone."""
    return b"".join(entry_pieces(entry, frame))
