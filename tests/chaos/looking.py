"""How far clients are, and reads whose replies are held against the ledger."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lxml import etree

from tests import soap
from tests.chaos.exchange import Failure, Reply, Unanswered, ask
from tests.chaos.ledger import NEVER, Known, Ledger
from tests.soap import NS, EntryReference, Family

_MILLI = 1000
_SECOND = 1_000_000


def written(instant: float) -> str:
    """An instant as it stands in messages."""
    at = datetime.fromtimestamp(int(instant) // _SECOND, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{int(instant) // _MILLI % 1000:03}Z"


def read_instant(text: str) -> float:
    """The other way round; nothing is never."""
    if not text:
        return NEVER
    at = datetime.fromisoformat(text)
    return int(at.timestamp()) * _SECOND + at.microsecond


@dataclass(slots=True)
class Course:
    """What the clients of a round share: how far they are, and what failed."""

    quota: int
    #: Seconds in which a client does nothing between two requests.
    pause: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    #: Set when nothing more will be killed.
    quiet: threading.Event = field(default_factory=threading.Event)
    #: Set to end the clients whatever they have done.
    broken: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def written(self) -> int:
        """Adds and renewals that were acknowledged."""
        return self.counts["Add acknowledged"] + self.counts["renewal acknowledged"]

    @property
    def is_over(self) -> bool:
        """Whether the clients have done what there is to do."""
        return self.broken.is_set() or (self.quiet.is_set() and self.written >= self.quota)

    def count(self, what: str) -> None:
        """Count an outcome."""
        with self._lock:
            self.counts[what] += 1

    def failed(self, failure: Failure) -> None:
        """Note a failure; whether it may be is judged when all kills are known."""
        with self._lock:
            self.failures.append(failure)


def asked(course: Course, url: str, operation: str, body: str, *, header: str = "") -> Reply | None:
    """A reply to a read: a success, or word of an entry that is gone; None for anything else."""
    try:
        reply = ask(url, operation, body, header=header)
    except Unanswered as error:
        note(course, error)
        return None
    if reply.answer.status == 200 or is_unknown(reply):
        course.count(f"{operation} answered")
        if "Warning" in reply.answer.headers:
            course.count("stale reply")
        return reply
    course.failed(reply.failure())
    return None


def note(course: Course, error: Unanswered) -> None:
    """Note that a request was not answered."""
    course.failed(error.failure)
    if not error.sent:
        # Nobody listens.
        time.sleep(0.1)


def is_unknown(reply: Reply) -> bool:
    """Whether a reply says that there is no such entry."""
    return reply.answer.status == 500 and reply.answer.fault[0] == "ResourceUnknownFault"


def look_at(known: Known, entry: EntryReference, ledger: Ledger, course: Course) -> None:
    """Read the TerminationTime of a registration and judge it."""
    ns = NS[known.family]
    body = (
        f'<rp:GetResourceProperty xmlns:rp="{ns["rp"]}" xmlns:rl="{ns["rl"]}">rl:TerminationTime'
        "</rp:GetResourceProperty>"
    )
    reply = asked(course, entry.address, "read of one", body, header=entry.header)
    if reply is None:
        return
    told = None if is_unknown(reply) else read_instant(reply.answer.body[0].text or "")
    ledger.saw_one(known, told, reply.began, reply.ended, since=reply.since)


def list_group(
    group: str, family: Family, ledger: Ledger, course: Course
) -> dict[str, EntryReference] | None:
    """Read the entries of a group and judge them; by the member's address where each is."""
    ns = NS[family]
    body = (
        f'<rp:GetResourceProperty xmlns:rp="{ns["rp"]}" xmlns:sg="{ns["sg"]}">sg:Entry'
        "</rp:GetResourceProperty>"
    )
    reply = asked(course, group, "read of all", body)
    if reply is None:
        return None
    found = [_placed(entry, family) for entry in reply.answer.body]
    seen = [address for address, _ in found]
    ledger.saw_group(seen, reply.began, reply.ended, since=reply.since)
    return dict(found)


def _placed(entry: etree._Element, family: Family) -> tuple[str, EntryReference]:
    wsa, sg = NS[family]["wsa"], NS[family]["sg"]
    epr = entry.find(f"{{{sg}}}ServiceGroupEntryEPR")
    container = "ReferenceProperties" if family == "gt4" else "ReferenceParameters"
    key = epr.find(f"{{{wsa}}}{container}")[0]
    member = entry.findtext(f"{{{sg}}}MemberServiceEPR/{{{wsa}}}Address") or ""
    reference = EntryReference(
        epr.findtext(f"{{{wsa}}}Address") or "",
        etree.tostring(key, with_tail=False).decode(),
        key.findtext(f"{{{soap.AGG}}}EntryKey") or "",
    )
    return member, reference
