"""Groups and their settings: who may join, what is shown, what happens to those that come twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from tests import soap
from tests.integration import each_database
from tests.integration.spellings import SPELLINGS
from tests.service import RunningService
from tests.soap import AGG, NS, EntryReference, Family
from tests.waiting import until

service = each_database.service
CONFIG = """
[groups.One]
[groups.Other]
[groups.Off]
enabled = false
[groups.Plain]
require_source = false
[groups.PlainHidden]
require_source = false
publish_configuration = false
[groups.Hidden]
publish_configuration = false
[groups.Renewing]
on_duplicate = "renew"
[groups.Racing]
on_duplicate = "renew"
[groups.Rooted]
root_element = "{urn:site}SiteRP"
[groups.Bare]
root_element = "Everything"
[groups.Small]
max_entries = 2
[groups.Fair]
max_entries_per_caller = 1
"""
MEMBER = "http://127.0.0.1:1/m"
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")


def at(service: RunningService, group: str) -> str:
    return f"{service.url}/wsrf/services/{group}"


def with_content(content: str, family: Family) -> str:
    """An Add with this Content."""
    spelling = SPELLINGS[family]
    return spelling.body(
        "Add",
        f"<sg:MemberEPR><wsa:Address>{MEMBER}</wsa:Address></sg:MemberEPR>"
        f"<sg:Content>{content}</sg:Content>",
    )


def shown(group: str, entry: EntryReference, family: Family) -> etree._Element:
    """The Content of an entry, as its group shows it and as it does itself."""

    def agreed() -> list[etree._Element]:
        content = in_group(group, entry, family)
        own = soap.get_property(entry.address, "sg:Content", header=entry.header, family=family)
        return [content] if canonical(own.body[0]) == canonical(content) else []

    # Again, since what is collected may come between the two.
    return until(agreed, within=10, what="the same Content from both")[0]


def in_group(group: str, entry: EntryReference, family: Family) -> etree._Element:
    """The Content of an entry, as its group shows it."""
    for found in soap.entries(group, family=family):
        if found.findtext(f".//{{{AGG}}}EntryKey") == entry.key:
            return found.find(f"{{{NS[family]['sg']}}}Content")
    raise AssertionError(f"no entry {entry.key} in {group}")


def canonical(element: etree._Element) -> list[tuple[str, str, dict[str, str]]]:
    return [(e.tag, (e.text or "").strip(), dict(e.attrib)) for e in element.iter("*")]


def test_groups_keep_their_entries_apart(service: RunningService) -> None:
    one, other = at(service, "One"), at(service, "Other")
    entry = soap.add(one, MEMBER)
    assert soap.add(other, MEMBER).key != entry.key
    assert [len(soap.entries(group)) for group in (one, other)] == [1, 1]
    there = EntryReference(f"{other}Entry", entry.header, entry.key)
    assert soap.destroy(there).fault[0] == "ResourceUnknownFault"
    in_path = EntryReference(f"{other}Entry/{entry.key}", "", entry.key)
    assert soap.destroy(in_path).fault[0] == "ResourceUnknownFault"
    assert soap.destroy(entry).status == 200
    assert [len(soap.entries(group)) for group in (one, other)] == [0, 1]


def test_a_group_that_is_switched_off_is_not_there(service: RunningService) -> None:
    name, text = soap.call(at(service, "Off"), soap.add_body(MEMBER)).fault
    assert name == "ResourceUnknownFault"
    offered = text.partition("the service groups are ")[2].split(", ")
    assert "/wsrf/services/One" in offered
    assert "/wsrf/services/Off" not in offered


@pytest.mark.parametrize("written", FAMILIES)
def test_a_plain_registry_publishes_content_as_it_was_registered(
    service: RunningService, written: Family
) -> None:
    content = (
        '<w:Licence xmlns:w="urn:w" xmlns:t="urn:types" kind="t:free">t:GPL &amp; more</w:Licence>'
        "<bare/>"
    )
    body = with_content(content, written)
    entry = soap.entry_of(soap.call(at(service, "Plain"), body), written)
    for family in FAMILIES:
        licence, bare = shown(at(service, "Plain"), entry, family)
        assert (licence.tag, licence.text) == ("{urn:w}Licence", "t:GPL & more")
        assert (licence.get("kind"), licence.nsmap["t"]) == ("t:free", "urn:types")
        assert bare.tag == "bare"


@pytest.mark.parametrize("written", FAMILIES)
def test_a_plain_registry_keeps_aggregator_data_and_drops_the_error(
    service: RunningService, written: Family
) -> None:
    data = '<agg:AggregatorData><x:Load xmlns:x="urn:x">7</x:Load></agg:AggregatorData>'
    error = "<agg:AggregatorError><mine/></agg:AggregatorError>"
    config = '<agg:AggregatorConfig><y:Own xmlns:y="urn:y"/></agg:AggregatorConfig>'
    for content in (data + error, config + data + error):
        answer = soap.call(at(service, "Plain"), with_content(content, written))
        entry = soap.entry_of(answer, written)
        for family in FAMILIES:
            found = shown(at(service, "Plain"), entry, family)
            names = [etree.QName(child).localname for child in found]
            expected = ["AggregatorConfig", "AggregatorData"]
            assert names == (expected if "Own" in content else expected[1:])
            assert found.findtext(f"{{{AGG}}}AggregatorData/{{urn:x}}Load") == "7"


def test_a_plain_registry_still_collects_where_a_source_is_named(service: RunningService) -> None:
    group = at(service, "Plain")
    entry = soap.add(group, MEMBER, soap.execution_config("aggregator-exec-test"))
    until(
        lambda: b"ProbedInfo" in soap.get_property(entry.address, "sg:Content").content,
        what="probed data",
    )
    name, text = soap.call(group, soap.add_body(MEMBER, soap.execution_config("no-such"))).fault
    assert (name, "no-such" in text) == ("AddRefusedFault", True)


@pytest.mark.parametrize("written", FAMILIES)
def test_what_only_the_service_may_say_is_dropped_from_registrations(
    service: RunningService, written: Family
) -> None:
    sent = soap.IDLE + (
        "<agg:AggregatorData><mine/></agg:AggregatorData>"
        "<agg:AggregatorError><mine/></agg:AggregatorError>"
    )
    answer = soap.call(at(service, "One"), with_content(sent, written))
    entry = soap.entry_of(answer, written)
    for family in FAMILIES:
        content = shown(at(service, "One"), entry, family)
        assert content.find(".//mine") is None
        assert content.find(f"{{{AGG}}}AggregatorConfig/*") is not None


@pytest.mark.parametrize("group", ["Hidden", "PlainHidden"])
def test_hidden_configurations_are_hidden_in_every_reply(
    service: RunningService, group: str
) -> None:
    address = at(service, group)
    entry = soap.add(address, MEMBER)
    for family in FAMILIES:
        (config,) = shown(address, entry, family).findall(f"{{{AGG}}}AggregatorConfig")
        assert (len(config), config.text) == (0, None)
        for url in (address, entry.address):
            for expression in ("/", "//*", "//*[local-name()='Content']"):
                answer = soap.query(url, expression, family=family)
                assert answer.status == 200
                assert b"ProbeName" not in answer.content
                assert b"AggregatorConfig" in answer.content
    count = soap.query(address, "count(//*[local-name()='ProbeName'])")
    assert count.body.text == "0"
    document = soap.call(address, SPELLINGS["oasis"].body("GetResourcePropertyDocument"))
    assert b"ProbeName" not in document.content


@pytest.mark.parametrize(
    ("group", "root"), [("Rooted", "{urn:site}SiteRP"), ("Bare", "Everything")]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_root_element_is_that_of_the_settings(
    service: RunningService, group: str, root: str, family: Family
) -> None:
    address = at(service, group)
    assert soap.query(address, "/", family=family).body[0].tag == root
    assert soap.query(address, "/*", family=family).body[0].tag == root
    named = soap.query(address, "concat('{', namespace-uri(/*), '}', local-name(/*))")
    assert named.body.text.removeprefix("{}") == root
    document = soap.call(address, SPELLINGS["oasis"].body("GetResourcePropertyDocument"))
    assert document.body[0].tag == root


def soon(minutes: int) -> datetime:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).replace(microsecond=0)


def test_the_same_registration_renews_the_first_where_that_is_set(service: RunningService) -> None:
    group = at(service, "Renewing")
    key = '<k:Id xmlns:k="urn:k">7</k:Id>'
    ends = soon(10)
    first = soap.add(group, MEMBER, references=key, termination=ends.isoformat())
    other = soap.IDLE.replace("3600000", "3600001")
    others = [
        soap.add(group, MEMBER),
        soap.add(group, MEMBER + "2", references=key),
        soap.add(group, MEMBER, other, references=key),
    ]
    assert len({entry.key for entry in [first, *others]}) == 4
    later = soon(30)
    for family in FAMILIES:
        # Prefixes and the dialect are no part of what is registered.
        again = soap.IDLE.replace("agg:", "a:").replace("xmlns:agg", "xmlns:a")
        found = soap.add(
            group,
            MEMBER,
            again,
            references=key.replace("k:", "q:").replace(":k=", ":q="),
            termination=later.isoformat(),
            family=family,
        )
        assert (found.key, found.address) == (first.key, first.address)
    shown_end = soap.get_property(first.address, "rl:TerminationTime").body[0].text
    assert datetime.fromisoformat(shown_end) == later
    assert len(soap.entries(group)) == 4
    assert soap.destroy(first).status == 200
    assert soap.add(group, MEMBER, references=key).key != first.key


def test_registrations_that_race_become_one_entry(service: RunningService) -> None:
    group = at(service, "Racing")
    barrier = threading.Barrier(6)

    def register(number: int) -> str:
        barrier.wait(10)
        return soap.add(group, MEMBER, family=FAMILIES[number % 2]).key

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(register, range(6)))) == 1
    assert len(soap.entries(group)) == 1


def test_without_that_setting_each_is_an_entry_of_its_own(service: RunningService) -> None:
    group = at(service, "Other")
    assert soap.add(group, MEMBER).key != soap.add(group, MEMBER).key


def test_limits_of_entries_are_enforced(service: RunningService) -> None:
    small, fair = at(service, "Small"), at(service, "Fair")
    first = soap.add(small, MEMBER)
    soap.add(small, MEMBER)
    name, text = soap.call(small, soap.add_body(MEMBER)).fault
    assert (name, "max_entries" in text) == ("AddRefusedFault", True)
    assert soap.destroy(first).status == 200
    soap.add(small, MEMBER)
    soap.add(fair, MEMBER)
    name, text = soap.call(fair, soap.add_body(f"{MEMBER}2")).fault
    assert (name, "max_entries_per_caller" in text) == ("AddRefusedFault", True)
