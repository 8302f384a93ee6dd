"""Entries and properties as bytes, in both dialects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from aggregator.config.groups import MembershipRule
from aggregator.model import Health
from aggregator.view import properties
from aggregator.view.fragments import as_stale, entry_fragment, entry_frame, publish, stale_at
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, GT4, OASIS, Dialect
from aggregator.wire.epr import read_entry_key, read_epr
from aggregator.wire.parse import parse

from .view_fakes import CONFIG, FACTS, NOW, SECOND, an_entry, validate

XSI_TYPE = ns.clark(ns.XSI, "type")


def fragment(dialect: Dialect, **changes: object) -> bytes:
    published = publish(an_entry(7, **changes), facts=FACTS, now=NOW)
    return entry_fragment(published, entry_frame(FACTS, dialect))


@pytest.mark.parametrize("dialect", FAMILIES, ids=lambda d: d.name)
class TestBothDialects:
    def test_entry_follows_the_published_schema(self, dialect: Dialect) -> None:
        data = fragment(dialect)
        validate(data)
        assert parse(data).tag == f"{{{dialect.sg}}}Entry"

    def test_entry_epr_holds_the_key_in_path_and_reference(self, dialect: Dialect) -> None:
        entry = parse(fragment(dialect))
        epr = read_epr(entry[0])
        assert epr.wsa == dialect.wsa
        assert epr.address == f"{FACTS.address}Entry/{7:032x}"
        assert read_entry_key(parse(epr.references[0])) == (FACTS.name, f"{7:032x}")
        assert bool(epr.properties) == (dialect is GT4)

    def test_member_epr_is_of_the_readers_addressing(self, dialect: Dialect) -> None:
        entry = parse(fragment(dialect))
        epr = read_epr(entry[1])
        assert epr.wsa == dialect.wsa
        assert epr.address == "http://site/wsrf/services/WidgetService"
        assert b"42" in epr.references[0]

    def test_config_and_data_are_the_bytes_that_were_stored(self, dialect: Dialect) -> None:
        data = b'<w:foo xmlns:w="http://widgets.com" n="7">w:bar</w:foo>'
        assert CONFIG + b"<agg:AggregatorData>" + data + b"</agg:AggregatorData>" in fragment(
            dialect
        )

    def test_content_without_config_is_republished_as_it_came(self, dialect: Dialect) -> None:
        came = (b"<one/>", b'<x:two xmlns:x="urn:x"/>')
        content = parse(fragment(dialect, config=b"", data=came, interval=0))[2]
        assert [child.tag for child in content] == ["one", "{urn:x}two"]
        assert content.get(XSI_TYPE) is None

    def test_error_tells_the_trouble(self, dialect: Dialect) -> None:
        health = Health(NOW, NOW - SECOND, 3, "timeout", "no <answer>\x00", NOW, 0)
        written = fragment(dialect, health=health)
        validate(written)
        told = parse(written).find(f".//{{{ns.AGG}}}AggregatorError/{{{ns.HEALTH}}}health")
        assert [(etree.QName(e).localname, e.text) for e in told] == [
            ("code", "timeout"),
            ("message", "no <answer>?"),
            ("since", "2027-01-15T08:00:00.000Z"),
            ("lastSuccess", "2027-01-15T07:59:59.000Z"),
            ("consecutiveFailures", "3"),
        ]

    def test_entry_properties_follow_the_published_schemas(self, dialect: Dialect) -> None:
        published = publish(an_entry(7), facts=FACTS, now=NOW)
        validate(properties.member_epr(published, dialect=dialect))
        validate(properties.content(published, dialect=dialect))
        validate(properties.service_group_epr(FACTS, dialect=dialect))
        validate(properties.current_time(NOW, dialect=dialect))
        validate(properties.termination_time(NOW, dialect=dialect))
        validate(properties.termination_time(None, dialect=dialect))

    def test_registration_count_follows_the_published_schema(self, dialect: Dialect) -> None:
        written = properties.registration_count(
            start=NOW, last_change=NOW, total=3, rates=[(0.5, 60), (1e-7, 3600)]
        )
        validate(written)

    def test_membership_rules_follow_the_published_schema(self, dialect: Dialect) -> None:
        rules = [MembershipRule(("{urn:a}One", "two"), ("{urn:a}P", "{urn:b}Q"))]
        written = properties.membership_rules(rules, dialect=dialect)
        assert len(written) == (2 if dialect is GT4 else 1)
        for rule in written:
            validate(rule)


def test_only_the_drafts_name_the_type_of_content() -> None:
    assert parse(fragment(GT4))[2].get(XSI_TYPE) == "agg:AggregatorContent"
    assert parse(fragment(OASIS))[2].get(XSI_TYPE) is None


def test_configuration_is_hidden_where_the_group_says_so() -> None:
    facts = replace(FACTS, publish_configuration=False)
    published = publish(an_entry(7), facts=facts, now=NOW)
    content = parse(entry_fragment(published, entry_frame(facts, GT4)))[2]
    assert len(content[0]) == 0
    assert content[1][0].text == "w:bar"


def test_prefixes_in_text_keep_their_meaning_in_a_document() -> None:
    frame = entry_frame(FACTS, GT4)
    joined = b"".join(
        entry_fragment(publish(an_entry(i), facts=FACTS, now=NOW), frame) for i in (1, 2)
    )
    root = parse(b'<i:IndexRP xmlns:i="urn:i">' + joined + b"</i:IndexRP>")
    for name in root.iter(ns.clark(ns.AGG, "ResourcePropertyName")):
        assert name.nsmap["s"] == ns.GT4_SG


def test_stale_data_is_told_with_the_instant_since_when() -> None:
    published = publish(an_entry(7), facts=FACTS, now=NOW)
    assert stale_at(published, FACTS) == NOW + 120 * SECOND
    told = parse(
        b'<x xmlns:agg="' + ns.AGG.encode() + b'">' + as_stale(published, FACTS).error + b"</x>"
    )
    assert told.findtext(f".//{{{ns.HEALTH}}}code") == "stale"
    assert told.findtext(f".//{{{ns.HEALTH}}}since") == "2027-01-15T08:02:00.000Z"
    assert told.findtext(f".//{{{ns.HEALTH}}}lastSuccess") == "2027-01-15T08:00:00.000Z"


def test_an_entry_never_collected_gets_stale_after_it_was_seen() -> None:
    published = publish(an_entry(7, health=Health()), facts=FACTS, now=NOW + SECOND)
    assert stale_at(published, FACTS) == NOW + 121 * SECOND


def test_what_is_not_polled_never_gets_stale() -> None:
    published = publish(an_entry(7, interval=0), facts=FACTS, now=NOW)
    assert stale_at(published, FACTS) is None


def test_health_property_tells_attempts_and_the_last_error() -> None:
    found = Health(NOW, NOW - SECOND, 2, "fault", "it said no", NOW, 5)
    told = [(etree.QName(e).localname, e.text) for e in parse(properties.health(found))]
    assert told == [
        ("lastAttempt", "2027-01-15T08:00:00.000Z"),
        ("lastSuccess", "2027-01-15T07:59:59.000Z"),
        ("consecutiveFailures", "2"),
        ("lastError", "it said no"),
        ("skippedOverruns", "5"),
    ]
    assert [e.text for e in parse(properties.health(Health()))] == ["0", "0"]
