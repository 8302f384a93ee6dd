"""A running service that is fuzzed, with entries to aim at, and what it makes of each case."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field, replace

from tests import soap
from tests.fuzzing.case import STANDING_KEYS, Case
from tests.fuzzing.envelopes import GROUPS
from tests.fuzzing.judging import Verdict, Wrong, judge
from tests.fuzzing.kept import Sent
from tests.fuzzing.ledger import Ledger, State
from tests.fuzzing.sending import send
from tests.service import RunningService
from tests.soap import NS, Answer, EntryReference, Family

CONFIG = """
[query]
timeout = "500ms"
[collect]
allow_networks = ["127.0.0.0/8", "::1/128"]
timeout = "2s"
connect_timeout = "1s"
[groups.Fuzzed]
sinks = ["index"]
[groups.Ruled]
sinks = ["index"]
membership_rules = [
  { member_interfaces = ["{urn:widgets}PortType", "{urn:widgets}Other"] },
  { content_elements = ["{urn:widgets}Licence"] },
]
[groups.Plain]
sinks = ["index"]
require_source = false
[groups.Renewing]
sinks = ["index"]
on_duplicate = "renew"
[groups.Capped]
sinks = ["index"]
max_lifetime = "1h"
"""
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")
#: Entries that were accepted and stay for a while, so that what they hold is read by others.
_KEPT = 12
_READ_BACK = ("sg:MemberEPR", "sg:Content")
_TROUBLE = re.compile(
    r"Traceback|bug in |can't be queried|ended by itself|could not be evaluated|SIGSEGV|SIGABRT"
    r"|for no reason|refused what it was asked|SIGKILL|evaluator went away"
)


@dataclass(slots=True)
class Stage:
    """A service under its ledger; `collecting` where it has a collector, which changes things."""

    service: RunningService
    ledger: Ledger
    collecting: bool = False
    _standing: list[EntryReference] = field(default_factory=list)
    _accepted: deque[EntryReference] = field(default_factory=deque)
    _read: int = 0

    def group(self, name: str) -> str:
        """The address of a group."""
        return f"{self.service.url}/wsrf/services/{name}"

    def play(self, case: Case) -> str:
        """Send a case and hold everything against it; the outcome in a word. Raises Wrong."""
        self._stand(self.ledger.read())
        before = self.ledger.read()
        case = self._filled(case)
        answer = send(self.service.url, case)
        after = self.ledger.read()
        if self.collecting:
            before, after = _without_collection(before, after)
        verdict = judge(case, answer, before, after)
        self.check_log()
        if verdict.outcome == "200 AddResponse":
            assert answer is not None
            self._take_in(case, answer, verdict, after)
        return verdict.outcome

    def check_log(self) -> None:
        """Raise Wrong where the service logged trouble since the last look."""
        with self.service.log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        text = new.decode(errors="replace")
        if (found := _TROUBLE.search(text)) is not None:
            raise Wrong(f"the log tells of trouble:\n{text[max(0, found.start() - 500) :][:4000]}")

    def check_whole(self) -> None:
        """Raise Wrong unless every group can be read and queried whole, whoever is in it."""
        for name in GROUPS:
            for family in FAMILIES:
                before, found, after = (look(self.group(name), family) for look in _LOOKS)
                # Some may have ended in between.
                if not after <= found <= before:
                    raise Wrong(f"{name} lists {before} entries in {family}, XPath finds {found}")
        self.check_log()

    def _filled(self, case: Case) -> Case:
        """The case with what only a running service knows."""
        content, target = case.content, case.target
        for stand, entry in zip(STANDING_KEYS, self._standing, strict=True):
            content = content.replace(stand.encode(), entry.key.encode())
            target = target.replace(stand, entry.key)
        content = content.replace(b"@GROUP@", self.group("Fuzzed").encode())
        return replace(case, content=content, target=target)

    def _stand(self, state: State) -> None:
        """Put the entries back that cases aim at, where one was ended."""
        now = time.time_ns() // 1000
        if not self._standing:
            self._standing = [self._add(family) for family in FAMILIES]
            return
        for at, family in enumerate(FAMILIES):
            if not state.lives(self._standing[at].key, now):
                self._standing[at] = self._add(family)

    def _add(self, family: Family) -> EntryReference:
        return soap.add(self.group("Fuzzed"), "http://127.0.0.1:1/standing", family=family)

    def _take_in(self, case: Case, answer: Answer, verdict: Verdict, state: State) -> None:
        """An accepted Add is there, in either dialect; the oldest of such entries makes room."""
        body = verdict.body
        assert body is not None
        family: Family = "gt4" if body.tag == f"{{{NS['gt4']['sg']}}}AddResponse" else "oasis"
        entry = soap.entry_of(answer, family)
        if not state.end_of(entry.key)[0]:
            raise Wrong(f"an Add was accepted and {entry.key} is not stored")
        if state.lives(entry.key, time.time_ns() // 1000):
            renewed = "/Renewing" in case.target
            self._read_back(entry, Sent(case.content) if case.is_intact and not renewed else None)
        self._accepted.append(entry)
        while len(self._accepted) > _KEPT:
            self._leave(self._accepted.popleft())

    def _read_back(self, entry: EntryReference, sent: Sent | None) -> None:
        for family in FAMILIES:
            ns = NS[family]
            asked = "".join(f"<rp:ResourceProperty>{n}</rp:ResourceProperty>" for n in _READ_BACK)
            body = (
                f'<rp:GetMultipleResourceProperties xmlns:rp="{ns["rp"]}" xmlns:sg="{ns["sg"]}">'
                f"{asked}</rp:GetMultipleResourceProperties>"
            )
            answer = soap.call(entry.address, body, header=entry.header)
            if answer.status != 200 or len(answer.body) != len(_READ_BACK):
                raise Wrong(f"{_READ_BACK} of an accepted entry: {answer.content[:500]!r}")
            if sent is not None and (trouble := sent.trouble(*answer.body, family)):
                raise Wrong(f"an accepted entry is not what was sent: {trouble}")

    def _leave(self, entry: EntryReference) -> None:
        answer = soap.destroy(entry)
        if answer.status != 200 and answer.fault[0] != "ResourceUnknownFault":
            raise Wrong(f"an accepted entry can't be destroyed: {answer.content[:500]!r}")


def _listed(group: str, family: Family) -> int:
    return len(soap.get_property(group, "sg:Entry", family=family).body)


def _counted(group: str, family: Family) -> int:
    answer = soap.query(group, "count(/*/*[local-name() = 'Entry'])", family=family)
    if answer.status != 200:
        raise Wrong(f"{group} can't be queried in {family}: {answer.content[:500]!r}")
    return int("".join(map(str, answer.body.itertext())))


_LOOKS = (_listed, _counted, _listed)


def _without_collection(before: State, after: State) -> tuple[State, State]:
    """Both states without what the collector does by itself: collect, and remove what ended."""
    now = time.time_ns() // 1000
    removed = {
        entry
        for entry in before.ends.keys() - after.ends.keys()
        if (end := before.ends[entry]) is not None and end <= now
    }
    kept = {entry: end for entry, end in before.ends.items() if entry not in removed}
    return State({}, kept), State({}, after.ends)
