"""A client that registers, renews, ends and reads, one request after the other, and keeps books."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from tests import soap
from tests.chaos.exchange import Reply, Unanswered, ask
from tests.chaos.ledger import GONE, NEVER, Known, Ledger, now
from tests.chaos.looking import (
    Course,
    asked,
    is_unknown,
    list_group,
    look_at,
    note,
    read_instant,
    written,
)
from tests.soap import NS, Family

#: 2035 and later, so that every renewal asks for an instant that no other one asked for.
_LATER = 2_051_222_400_000_000
_MILLI = 1000
_PAST = "2020-01-01T00:00:00.000Z"
_TOO_LATE = "AddRefusedFault"
_MEMBERS = "//*[local-name()='MemberServiceEPR']/*[local-name()='Address']/text()"


@dataclass(slots=True)
class Client:
    """One client; it alone writes to the registrations that it makes."""

    group: str
    ledger: Ledger
    course: Course
    number: int
    random: Random
    only_reads: bool = False
    _mine: list[Known] = field(default_factory=list)
    _made: int = 0
    _renewed: int = 0

    def run(self) -> None:
        """Work until the course is over; what goes wrong here goes into the ledger."""
        kinds: Mapping[Callable[[], None], int] = {
            self.add: 34,
            self.renew: 42,
            self.destroy: 4,
            self.end_now: 3,
            self.look_at_one: 8,
            self.look_at_all: 6,
            self.look_by_xpath: 3,
        }
        if self.only_reads:
            kinds = {self.look_at_all: 6, self.look_by_xpath: 3}
        try:
            while not self.course.is_over:
                (step,) = self.random.choices(list(kinds), list(kinds.values()))
                step()
                time.sleep(self.course.pause)
        except Exception:
            self.ledger.wrong(traceback.format_exc())
            self.course.broken.set()

    @property
    def _family(self) -> Family:
        return "gt4" if self.number % 2 else "oasis"

    def add(self) -> None:
        """Register a member: for good, until an instant far away, or for a moment."""
        self._made += 1
        known = self.ledger.open(f"http://10.0.{self.number}.1/{self._made}", self._family)
        # A time that is over on arrival would be granted otherwise than asked in the draft.
        short = 1 if self._family == "oasis" else 0
        until = self.random.choices([NEVER, self._far(), self._soon()], [2, 2, short])[0]
        asked = None if until == NEVER else written(until)
        body = soap.add_body(known.address, family=self._family, termination=asked)
        reply = self._write(known, until, self.group, "Add", body)
        if reply is not None:
            known.reference = soap.entry_of(reply.answer, self._family)
            self._mine.append(known)

    def renew(self) -> None:
        """Give a registration another TerminationTime, or none."""
        if known := self._any():
            until = self.random.choices([self._far(), NEVER, self._soon()], [12, 1, 2])[0]
            self._set(known, until, written(until) if until != NEVER else None)

    def end_now(self) -> None:
        """End a registration as GT clients do."""
        if known := self._any():
            self._mine.remove(known)
            self._set(known, GONE, _PAST)

    def destroy(self) -> None:
        """End a registration by Destroy."""
        if (known := self._any()) and known.reference:
            self._mine.remove(known)
            body = f'<rl:Destroy xmlns:rl="{NS[self._family]["rl"]}"/>'
            entry = known.reference
            self._write(known, GONE, entry.address, "Destroy", body, header=entry.header)

    def look_at_one(self) -> None:
        """Read the TerminationTime of a registration."""
        if (known := self._any()) and known.reference:
            look_at(known, known.reference, self.ledger, self.course)

    def look_at_all(self) -> None:
        """Read all entries of the group."""
        list_group(self.group, self._family, self.ledger, self.course)

    def look_by_xpath(self) -> None:
        """Have the evaluator tell the members' addresses."""
        body = (
            f'<rp:QueryResourceProperties xmlns:rp="{NS[self._family]["rp"]}"><rp:QueryExpression '
            f'Dialect="{soap.XPATH}">{_MEMBERS}</rp:QueryExpression></rp:QueryResourceProperties>'
        )
        if reply := asked(self.course, self.group, "XPath", body):
            found = "".join(reply.answer.body.itertext()).split()
            self.ledger.saw_group(found, reply.began, reply.ended, since=reply.since)

    def _far(self) -> int:
        self._renewed += 1
        return _LATER + (self.number * 1_000_000 + self._renewed) * _MILLI

    def _soon(self) -> int:
        return now() // _MILLI * _MILLI + self.random.randrange(600, 3000) * _MILLI

    def _any(self) -> Known | None:
        return self.random.choice(self._mine) if self._mine else None

    def _set(self, known: Known, outcome: float, time_text: str | None) -> None:
        entry, family = known.reference, known.family
        assert entry is not None
        value = (
            '<rl:RequestedTerminationTime xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'xsi:nil="true"/>'
            if time_text is None
            else f"<rl:RequestedTerminationTime>{time_text}</rl:RequestedTerminationTime>"
        )
        rl = NS[family]["rl"]
        body = f'<rl:SetTerminationTime xmlns:rl="{rl}">{value}</rl:SetTerminationTime>'
        name = "end" if outcome == GONE else "renewal"
        reply = self._write(known, outcome, entry.address, name, body, header=entry.header)
        if reply is not None and outcome != GONE:
            granted = reply.answer.body.findtext(f"{{{rl}}}NewTerminationTime") or ""
            # One that was over on arrival ends the entry there and then.
            if read_instant(granted) != outcome and outcome > reply.ended:
                self.ledger.wrong(f"{known.address} was granted {granted}, asked {time_text}")

    def _write(
        self, known: Known, outcome: float, url: str, operation: str, body: str, *, header: str = ""
    ) -> Reply | None:
        """Send what changes a registration; the reply, where it is a success."""
        self.ledger.sending(known, outcome)
        try:
            reply = ask(url, operation, body, header=header)
        except Unanswered as error:
            if error.sent:
                self.ledger.unanswered(known)
            else:
                self.ledger.refused(known)
            note(self.course, error)
            return None
        if reply.answer.status == 200:
            self.ledger.acknowledged(known, outcome)
            self.course.count(f"{operation} acknowledged")
            return reply
        if reply.answer.status == 500 and "in doubt" in reply.answer.fault[1]:
            self.ledger.unanswered(known)
            self.course.failed(reply.failure())
            return None
        self.ledger.refused(known)
        if operation == "Add" and outcome < reply.ended and reply.answer.fault[0] == _TOO_LATE:
            self.course.count("Add too late")
        elif is_unknown(reply):
            self.ledger.saw_one(known, None, reply.began, reply.ended)
            self.course.count(f"{operation} too late")
            if known in self._mine:
                self._mine.remove(known)
        else:
            self.course.failed(reply.failure())
        return None
