"""The properties that tell what can be subscribed to, in both dialects."""

from __future__ import annotations

import pytest
from lxml import etree

from aggregator.view.topics import ENTRY_TOPICS, GROUP_TOPICS, entry_topics, group_topics
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, GT4, OASIS, Dialect
from aggregator.wire.topic_properties import (
    TOPIC_SET,
    topic_property_names,
    write_topic_properties,
)
from aggregator.wire.topics import Topic, read_topic_expression

TOPICS: tuple[Topic, ...] = (
    (ns.clark(ns.OASIS_SG, "Entry"),),
    (ns.clark("urn:a?b&c", "Load"),),
    ("Bare",),
)
each = pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)


def read(dialect: Dialect, topics: tuple[Topic, ...] = TOPICS) -> dict[str, list[etree._Element]]:
    written = write_topic_properties(topics, dialect=dialect)
    return {name: [etree.fromstring(one) for one in found] for name, found in written.items()}


@each
def test_each_property_holds_elements_of_its_name(dialect: Dialect) -> None:
    found = read(dialect)
    assert tuple(found) == topic_property_names(dialect)
    assert all(element.tag == name for name, elements in found.items() for element in elements)


@each
def test_a_topic_that_is_told_can_be_subscribed_to_as_it_stands(dialect: Dialect) -> None:
    name = topic_property_names(dialect)[0]
    expressions = [read_topic_expression(element) for element in read(dialect)[name]]
    selected = [[topic for topic in TOPICS if one.selects(topic)] for one in expressions]
    assert selected == [[topic] for topic in TOPICS]
    assert expressions[0].scope["t"] == dialect.sg


@each
def test_the_dialects_that_are_told_are_spoken(dialect: Dialect) -> None:
    _, fixed, spoken, *_ = topic_property_names(dialect)
    found = read(dialect)
    assert [element.text for element in found[fixed]] == ["true"]
    addresses = [str(element.text) for element in found[spoken]]
    kinds = [address.rpartition("/")[2] for address in addresses]
    assert kinds == ["Simple", "Concrete", "Full", *(["ConcreteSet"] if dialect is OASIS else [])]
    for address in addresses:
        element = etree.fromstring(f'<e Dialect="{address}" xmlns:s="{ns.OASIS_SG}">s:Entry</e>')
        assert read_topic_expression(element).selects(TOPICS[0])


def test_the_topic_set_is_of_elements_named_as_the_topics_that_have_a_namespace() -> None:
    (found,) = read(OASIS)[TOPIC_SET]
    assert [element.tag for element in found] == [topic[0] for topic in TOPICS[:2]]
    assert [dict(element.attrib) for element in found] == [
        {ns.clark(ns.OASIS_TOPICS, "topic"): "true"}
    ] * 2
    assert TOPIC_SET not in read(GT4)


@each
def test_a_document_holds_what_would_not_be_taken_for_a_property(dialect: Dialect) -> None:
    for elements, topics in (
        (group_topics(dialect), GROUP_TOPICS),
        (entry_topics(dialect), ENTRY_TOPICS),
    ):
        found = [etree.fromstring(one) for one in elements]
        names = [element.tag for element in found]
        assert list(dict.fromkeys(names)) == list(topic_property_names(dialect)[:3])
        assert names.count(names[0]) == len(topics)
        assert not [child for element in found for child in element]
