"""Resource properties by their QNames: which there are, and their elements as bytes.

The namespace of a property's name says in which dialect it is written, whatever the dialect of
the request: who asks for the drafts' Entry gets the drafts' Entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aggregator.errors import InvalidPropertyName, ResourceUnknown, StoreUnavailable
from aggregator.registry.registry import ServiceGroup
from aggregator.server.site import Site
from aggregator.store.reading import health as read_health
from aggregator.view import properties
from aggregator.view.fragments import Published
from aggregator.view.group_view import GroupView
from aggregator.view.topics import ENTRY_TOPIC_PROPERTIES, GROUP_TOPIC_PROPERTIES, Written
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, Dialect, Spec


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of a property: pieces of bytes and their size together."""

    pieces: Iterable[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What properties are made of: the group, its view as it is now, an entry where one is asked.

    `now` is one instant for the whole request. `stale_since` is the view's, read before anything
    else of it: a view that is brought up meanwhile shows no less, one that was not must be told.
    """

    site: Site
    group: ServiceGroup
    view: GroupView
    now: int
    stale_since: int | None
    entry: Published | None = None


Maker = Callable[[Scene, Dialect], Elements]


def _few(*pieces: bytes) -> Elements:
    return Elements(pieces, sum(map(len, pieces)))


def _rules(scene: Scene, dialect: Dialect) -> Elements:
    rules = scene.group.settings.membership_rules
    return _few(*properties.membership_rules(rules, dialect=dialect))


def _entries(scene: Scene, dialect: Dialect) -> Elements:
    fragments = scene.view.entries(dialect, now=scene.now)
    return Elements(fragments, fragments.size)


def _registration_count(scene: Scene, dialect: Dialect) -> Elements:
    found = scene.site.counts.read(scene.group, now=scene.now)
    return _few(properties.registration_count(**found.shown()))


def _actions_fired_count(scene: Scene, dialect: Dialect) -> Elements:
    found = scene.site.counts.fired(scene.group, now=scene.now)
    return _few(properties.actions_fired_count(**found.shown()))


def _current_time(scene: Scene, dialect: Dialect) -> Elements:
    return _few(properties.current_time(scene.now, dialect=dialect))


def _termination_time(scene: Scene, dialect: Dialect) -> Elements:
    instant = None if scene.entry is None else scene.entry.termination
    return _few(properties.termination_time(instant, dialect=dialect))


def _entry_of(scene: Scene) -> Published:
    assert scene.entry is not None
    return scene.entry


def _member_epr(scene: Scene, dialect: Dialect) -> Elements:
    return _few(properties.member_epr(_entry_of(scene), dialect=dialect))


def _content(scene: Scene, dialect: Dialect) -> Elements:
    return _few(properties.content(_entry_of(scene), dialect=dialect))


def _service_group_epr(scene: Scene, dialect: Dialect) -> Elements:
    return _few(properties.service_group_epr(scene.view.facts, dialect=dialect))


def _health(scene: Scene, dialect: Dialect) -> Elements:
    entry = _entry_of(scene)
    try:
        with scene.site.registry.store.read() as connection:
            found = read_health(connection, entry.id)
    except StoreUnavailable:
        # What the view knew last; the reply says that it is stale.
        found = entry.health
    if found is None:
        raise ResourceUnknown(f"the entry {entry.key!r} has just ended")
    return _few(properties.health(found))


@dataclass(frozen=True, slots=True)
class Property:
    """A property: its name, the specification or namespace that it belongs to, its maker.

    `families` are the dialects that have it.
    """

    name: str
    spec: Spec | None
    namespace: str
    make: Maker
    families: tuple[str, ...] = ("gt4", "oasis")
    #: Which groups have it.
    groups: Callable[[ServiceGroup], bool] = lambda group: True

    def clark(self, dialect: Dialect) -> str:
        """Its Clark name in a dialect; the same in all where no WSRF specification has it."""
        namespace = self.namespace if self.spec is None else dialect.namespace(self.spec)
        return ns.clark(namespace, self.name)


def _constant(made: Elements) -> Maker:
    """Makes the same for every scene and whoever asks."""
    return lambda scene, dialect: made


def _topic_properties(written: Mapping[str, Written]) -> Iterator[Property]:
    """The properties that tell the topics, from their elements by dialect and Clark name."""
    for dialect in FAMILIES:
        for name, elements in written[dialect.family].items():
            namespace, _, local = name[1:].rpartition("}")
            spec: Spec | None = "nt" if namespace == dialect.nt else None
            yield Property(
                local,
                spec,
                namespace,
                _constant(_few(*elements)),
                (dialect.family,),
            )


#: In the order of the property document (aggregator types; WS-ServiceGroup 1.2).
GROUP_PROPERTIES = (
    Property("MembershipContentRule", "sg", "", _rules),
    Property("Entry", "sg", "", _entries),
    Property("RegistrationCount", None, ns.AGG, _registration_count),
    Property(
        "ActionsFiredCount",
        None,
        ns.TRIGGER,
        _actions_fired_count,
        groups=lambda group: group.settings.has_triggers,
    ),
    Property("CurrentTime", "rl", "", _current_time),
    Property("TerminationTime", "rl", "", _termination_time),
    *_topic_properties(GROUP_TOPIC_PROPERTIES),
)
ENTRY_PROPERTIES = (
    Property("TerminationTime", "rl", "", _termination_time),
    Property("MemberEPR", "sg", "", _member_epr),
    Property("Content", "sg", "", _content),
    Property("CurrentTime", "rl", "", _current_time),
    Property("ServiceGroupEPR", "sg", "", _service_group_epr),
    *_topic_properties(ENTRY_TOPIC_PROPERTIES),
    Property("health", None, ns.HEALTH, _health),
)


def _table(found: Iterable[Property]) -> Mapping[str, tuple[Property, Dialect]]:
    return {
        entry.clark(dialect): (entry, dialect)
        for entry in found
        for dialect in FAMILIES
        if dialect.family in entry.families
    }


_GROUP = _table(GROUP_PROPERTIES)
_ENTRY = _table(ENTRY_PROPERTIES)


def find(scene: Scene, names: Iterable[str], *, dialect: Dialect) -> Iterator[Elements]:
    """The elements of the properties of these Clark names; InvalidPropertyName for an unknown one.

    A property that no WSRF specification has is written in the dialect of the request. One that
    is named again is not made again: a name costs a client few bytes, a property costs us more.
    """
    table = _GROUP if scene.entry is None else _ENTRY
    wanted = {}
    for name in names:
        if name not in table or not table[name][0].groups(scene.group):
            known = ", ".join(entry.clark(dialect) for entry in _all(scene, dialect))
            raise InvalidPropertyName(
                f"{name[:200]!r} is no property of this resource; it has {known}"
            )
        wanted[name] = table[name]
    return (entry.make(scene, known if entry.spec else dialect) for entry, known in wanted.values())


def named(scene: Scene, local: str, *, dialect: Dialect) -> str | None:
    """The Clark name of the property with this local name, None where there is no such one."""
    return next(
        (entry.clark(dialect) for entry in _all(scene, dialect) if entry.name == local), None
    )


def all_elements(scene: Scene, *, dialect: Dialect) -> Iterator[Elements]:
    """The elements of all properties, in the order of the property document."""
    return (entry.make(scene, dialect) for entry in _in_document(scene, dialect))


def others_than_entries(scene: Scene, *, dialect: Dialect) -> Iterator[bytes]:
    """The bytes of a group's properties beside its entries."""
    for entry in _in_document(scene, dialect):
        if entry.make is not _entries:
            yield from entry.make(scene, dialect).pieces


def _all(scene: Scene, dialect: Dialect) -> Iterator[Property]:
    properties = GROUP_PROPERTIES if scene.entry is None else ENTRY_PROPERTIES
    return (
        entry
        for entry in properties
        if dialect.family in entry.families and entry.groups(scene.group)
    )


def _in_document(scene: Scene, dialect: Dialect) -> Iterator[Property]:
    # All but TopicSet, whose elements have the names of the properties.
    return (entry for entry in _all(scene, dialect) if entry.namespace != ns.OASIS_TOPICS)
