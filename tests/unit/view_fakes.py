"""A store in memory for tests of the views, and entries to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree

from aggregator.errors import StoreUnavailable
from aggregator.model import Change, ChangeKind, Entry, Health
from aggregator.view.fragments import GroupFacts
from aggregator.wire import namespaces as ns
from tests.clients.own_schemas import check_against_ours
from tests.shared import SHARED, published_schemas

FACTS = GroupFacts(
    name="DefaultIndexService", address="http://index:8080/wsrf/services/DefaultIndexService"
)
SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND

MEMBER = (
    f'<wssg:MemberEPR xmlns:wssg="{ns.GT4_SG}" xmlns:wsa="{ns.WSA_2004_03}">'
    "<wsa:Address>http://site/wsrf/services/WidgetService</wsa:Address><wsa:ReferenceProperties>"
    '<k:Key xmlns:k="urn:widgets">42</k:Key></wsa:ReferenceProperties></wssg:MemberEPR>'
).encode()
CONFIG = (
    f'<a:AggregatorConfig xmlns:a="{ns.AGG}" xmlns:w="http://widgets.com" xmlns:s="{ns.GT4_SG}">'
    "<a:GetResourcePropertyPollType><a:PollIntervalMillis>40000</a:PollIntervalMillis>"
    "<a:ResourcePropertyName>s:Entry</a:ResourcePropertyName></a:GetResourcePropertyPollType>"
    "</a:AggregatorConfig>"
).encode()


def an_entry(entry_id: int, **changes: Any) -> Entry:
    """An entry that was collected at NOW, every 40 seconds, unless `changes` say otherwise."""
    entry = Entry(
        id=entry_id,
        group=FACTS.name,
        key=f"{entry_id:032x}",
        member=MEMBER,
        address="http://site/wsrf/services/WidgetService",
        dialect="gt4",
        config=CONFIG,
        data=(f'<w:foo xmlns:w="http://widgets.com" n="{entry_id}">w:bar</w:foo>'.encode(),),
        health=Health(last_attempt=NOW, last_success=NOW),
        interval=40_000,
        termination=None,
        owner="address:127.0.0.1",
        origin="",
        version=1,
    )
    return replace(entry, **changes)


@dataclass
class FakeStore:
    """Entries and a change log of one group; counts what it is asked."""

    entries: dict[int, Entry] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    pruned_to: int = 0
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def put(self, entry: Entry, kind: ChangeKind = "content") -> None:
        self.entries[entry.id] = entry
        self.note(entry.id, kind)

    def remove(self, entry_id: int) -> None:
        del self.entries[entry_id]
        self.note(entry_id, "removed")

    def note(self, entry_id: int, kind: ChangeKind) -> None:
        self.log.append(Change(len(self.log) + 1, NOW, entry_id, kind))

    def ask(self, use: Callable[[FakeStore], None]) -> None:
        use(self)

    def _called(self, name: str) -> None:
        self.asked.append(name)
        if self.away:
            raise StoreUnavailable("the store is away")

    def sequence(self) -> int:
        self._called("sequence")
        return len(self.log)

    def changes_since(self, sequence: int) -> list[Change] | None:
        self._called("changes_since")
        return None if sequence < self.pruned_to else self.log[sequence:]

    def load_group(self) -> Iterator[Entry]:
        self._called("load_group")
        yield from sorted(self.entries.values(), key=lambda entry: entry.id)

    def load_entries(self, ids: Sequence[int]) -> list[Entry]:
        self._called("load_entries")
        return [self.entries[entry] for entry in ids if entry in self.entries]

    def last_successes(self, ids: Sequence[int]) -> dict[int, int | None]:
        self._called("last_successes")
        return {i: self.entries[i].health.last_success for i in ids if i in self.entries}


def validate(data: bytes) -> None:
    """Fail where `data` does not follow our schemas, or the published ones that are at hand."""
    element = etree.fromstring(data)
    check_against_ours(element)
    if (SHARED / "schemas" / "load.py").exists():
        published_schemas().validate(element)
