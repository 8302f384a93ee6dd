"""What groups and entries notify of, and the properties that say so, ready to send."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, Dialect
from aggregator.wire.topic_properties import TOPIC_SET, write_topic_properties
from aggregator.wire.topics import Topic

ENTRY: Topic = (ns.clark(ns.OASIS_SG, "Entry"),)
REGISTRATION_COUNT: Topic = (ns.clark(ns.AGG, "RegistrationCount"),)
TERMINATION_TIME: Topic = (ns.clark(ns.OASIS_RL, "TerminationTime"),)
CONTENT: Topic = (ns.clark(ns.OASIS_SG, "Content"),)

GROUP_TOPICS = (ENTRY, REGISTRATION_COUNT)
"""What a group notifies of (MDS4 made wssg:Entry a topic)."""
ENTRY_TOPICS = (TERMINATION_TIME, CONTENT)
"""What an entry notifies of."""

Written = Mapping[str, tuple[bytes, ...]]
GROUP_TOPIC_PROPERTIES: Mapping[str, Written] = {
    dialect.family: write_topic_properties(GROUP_TOPICS, dialect=dialect) for dialect in FAMILIES
}
"""The elements of a group's topic properties, by dialect and Clark name."""
ENTRY_TOPIC_PROPERTIES: Mapping[str, Written] = {
    dialect.family: write_topic_properties(ENTRY_TOPICS, dialect=dialect) for dialect in FAMILIES
}
"""Those of an entry."""


def group_topics(dialect: Dialect) -> tuple[bytes, ...]:
    """The elements of the topic properties in the property document of a group."""
    return _IN_GROUP[dialect.family]


def entry_topics(dialect: Dialect) -> tuple[bytes, ...]:
    """The elements of the topic properties in the property document of an entry."""
    return _IN_ENTRY[dialect.family]


def _in_document(written: Mapping[str, Written]) -> Written:
    return {
        family: tuple(one for name in found if name != TOPIC_SET for one in found[name])
        for family, found in written.items()
    }


_IN_GROUP = _in_document(GROUP_TOPIC_PROPERTIES)
_IN_ENTRY = _in_document(ENTRY_TOPIC_PROPERTIES)
