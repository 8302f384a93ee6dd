"""Settings of one service group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aggregator.config.kinds import (
    Fault,
    Kind,
    Refused,
    choice,
    listing,
    not_a,
    text,
    truth,
    whole_number,
)
from aggregator.config.measures import duration, size
from aggregator.config.names import unknown
from aggregator.config.series import Series, series_table
from aggregator.config.setting import setting

DEFAULT_GROUP = "DefaultIndexService"
#: The sinks that hold rules against what is delivered.
TRIGGER_SINKS = frozenset({"trigger", "monitored"})
#: The groups that are there without being declared, with their sinks.
DEFAULT_GROUPS: Mapping[str, tuple[str, ...]] = {
    DEFAULT_GROUP: ("index",),
    "DefaultTriggerService": ("trigger",),
    "TriggerRegistrationService": ("monitored",),
    "ArchiveService": ("archive",),
}
GROUP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
INDEX_ROOT = "{http://mds.globus.org/index}IndexRP"

#: The sink of an archive.
ARCHIVE = "archive"

_LARGEST_XSD_INT = 2**31 - 1
_CENTURY = 100 * 366 * 86400.0


@dataclass(frozen=True, slots=True)
class MembershipRule:
    """One MembershipContentRule (WS-ServiceGroup 1.2, section 3.1), its QNames as Clark names.

    An empty tuple leaves that attribute out, and so sets no rule of that sort.
    """

    content_elements: tuple[str, ...] = ()
    member_interfaces: tuple[str, ...] = ()


def clark_name(*, or_empty: bool = False) -> Kind[str]:
    """Return the kind of an XML name in Clark's notation: ``{namespace}local`` or ``local``."""
    pattern = r"(\{[^{}\s]+\})?[^\W\d][\w.-]*"
    return text(
        "an XML name such as {http://example.org/ns}Name",
        name="XML name",
        pattern=f"({pattern})?" if or_empty else pattern,
    )


def _plugin_names(*, at_least: int) -> Kind[tuple[str, ...]]:
    name = text("the name of a plug-in", name="names", pattern=r"[A-Za-z][A-Za-z0-9_.-]*")
    return listing(name, at_least=at_least)


def _membership_rule(value: object) -> MembershipRule:
    if not isinstance(value, dict):
        raise not_a(value, "a table with content_elements, member_interfaces or both")
    names = listing(clark_name())
    faults: list[Fault] = []
    taken: dict[str, tuple[str, ...]] = {"content_elements": (), "member_interfaces": ()}
    for key, given in value.items():
        if key not in taken:
            faults.append(Fault(unknown("key", key, taken), (key,)))
            continue
        try:
            taken[key] = names.read(given)
        except Refused as refused:
            faults += (Fault(fault.text, (key, *fault.below)) for fault in refused.faults)
    if not faults and not any(taken.values()):
        faults.append(Fault("a rule needs content_elements, member_interfaces or both"))
    if faults:
        raise Refused(*faults)
    return MembershipRule(**taken)


def _membership_rules() -> Kind[tuple[MembershipRule, ...]]:
    rules = listing(Kind("tables", _membership_rule))
    return Kind("list of tables", rules.read, from_text=None)


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """``[groups.NAME]``: one service group; lifetimes in seconds."""

    name: str
    enabled: bool = setting(True, truth(), "Whether the group is offered.")
    sinks: tuple[str, ...] = setting(
        (),
        _plugin_names(at_least=1),
        "Sinks that are fed, in this order; the first owns the entries' content.",
        default_text='["index"], else that of the name where it is a default group',
    )
    sources: tuple[str, ...] = setting(
        (), _plugin_names(at_least=0), "Sources that registrations may use. Empty: all found."
    )
    max_entries: int = setting(
        100_000, whole_number(1, 100_000_000), "Most entries; an Add past it is refused."
    )
    max_entries_per_caller: int = setting(
        0, whole_number(0, 100_000_000), "Most entries of one caller; 0 for no such limit."
    )
    min_lifetime: float = setting(
        60.0,
        duration(0),
        "Lifetime that a draft client is given whose InitialTerminationTime has passed already.",
    )
    max_lifetime: float = setting(
        0.0,
        duration(1, _CENTURY, or_zero=True),
        "Longest lifetime that is granted, to a registration without end too; 0 for no limit.",
    )
    require_source: bool = setting(
        True,
        truth(),
        "Whether Content must hold what a source claims; false makes a plain registry that"
        " publishes Content as it was registered.",
    )
    on_duplicate: str = setting(
        "add",
        choice("add", "renew"),
        "What the same registration sent again does: add another entry, or renew the first. Entries"
        " that were added while it was add are not recognised later.",
    )
    publish_configuration: bool = setting(
        True, truth(), "Whether entries show their AggregatorConfig to readers."
    )
    notify_on_lifetime_extension: bool = setting(
        True,
        truth(),
        "Whether who subscribed to Entry, and the event bus, is told of renewals (MDS4's"
        " notifyOnEntryLifetimeExtension).",
    )
    notify_on_content_change: bool = setting(
        False,
        truth(),
        "Whether who subscribed to Entry is told of new content (MDS4's"
        " notifyOnEntryContentChange); who asks for the policy ChangedEntries is in any case.",
    )
    min_interval_millis: int = setting(
        1000, whole_number(1, _LARGEST_XSD_INT), "Shortest PollIntervalMillis that is accepted."
    )
    max_interval_millis: int = setting(
        _LARGEST_XSD_INT,
        whole_number(1, _LARGEST_XSD_INT),
        "Longest PollIntervalMillis that is accepted.",
    )
    root_element: str = setting(
        "",
        clark_name(or_empty=True),
        "Root of the group's resource property document, as {namespace}local.",
        default_text=f'"{INDEX_ROOT}" where the first sink is index',
    )
    membership_rules: tuple[MembershipRule, ...] = setting(
        (),
        _membership_rules(),
        "Rules of who may join: tables of content_elements and member_interfaces, both lists of"
        " {namespace}local. Empty: anyone.",
    )
    archive_age: float = setting(
        30 * 86400.0,
        duration(86400, _CENTURY, or_zero=True),
        "How long an archive keeps a delivery, by whole days (UTC); 0: without end.",
    )
    archive_deliveries: int = setting(
        10_000_000,
        whole_number(0, 10**12),
        "Most documents that the group's archive keeps, unchanged ones counting once; the oldest"
        " leave first. 0: any number.",
    )
    archive_size: int = setting(
        10 * 2**30,
        size(0, 2**50),
        "Most bytes that its documents take, compressed; the oldest leave first. 0: any number.",
    )
    series: tuple[Series, ...] = setting(
        (),
        series_table(),
        "Numbers that are taken out of each delivery of an archive: a table of names, each with"
        " its xpath and, where that has prefixes, namespaces.",
    )
    series_raw_age: float = setting(
        7 * 86400.0,
        duration(86400, _CENTURY, or_zero=True),
        "How long each number is kept by itself, by whole days (UTC); then one bucket stands for"
        " many. 0: without end.",
    )
    series_bucket: float = setting(
        3600.0,
        duration(1, 86400),
        "Length of such a bucket: whole seconds that divide a day.",
    )
    series_age: float = setting(
        3 * 366 * 86400.0,
        duration(86400, _CENTURY, or_zero=True),
        "How long numbers and buckets are kept; 0: without end.",
    )

    def __post_init__(self) -> None:
        if not self.sinks:
            object.__setattr__(self, "sinks", DEFAULT_GROUPS.get(self.name, ("index",)))
        if not self.root_element and self.sinks[:1] == ("index",):
            object.__setattr__(self, "root_element", INDEX_ROOT)

    @property
    def has_triggers(self) -> bool:
        """Whether rules are held against what comes in, so that the group counts firings."""
        return not TRIGGER_SINKS.isdisjoint(self.sinks)

    @property
    def is_archived(self) -> bool:
        """Whether what comes in is kept, and can be asked for by QueryArchive."""
        return ARCHIVE in self.sinks


def default_groups() -> Mapping[str, GroupSettings]:
    """Return the groups of a service that declares none."""
    return {name: GroupSettings(name=name) for name in DEFAULT_GROUPS}
