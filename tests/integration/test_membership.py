"""Who may join a group: its rules are published in both dialects and held to in both."""

from __future__ import annotations

import pytest
from lxml import etree

from tests import soap
from tests.integration import each_database
from tests.integration.spellings import SPELLINGS
from tests.service import RunningService
from tests.soap import NS, Answer, Family

service = each_database.service
CONFIG = """
[groups.Ruled]
require_source = false
membership_rules = [
  { member_interfaces = ["{urn:widgets}Press", "{urn:widgets}Saw"], content_elements = ["{urn:w}A"] },
  { content_elements = ["{urn:w}Licence", "bare"] },
]
[groups.Demanding]
membership_rules = [{ member_interfaces = ["{urn:widgets}Press"] }]
[groups.Open]
"""  # noqa: E501  (an inline table of TOML is one line)
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")
LICENCE = '<w:Licence xmlns:w="urn:w"/><bare xmlns=""/>'
#: Where endpoint references name the interface of a member.
INTERFACES = {
    "gt4": '<wsa:PortType xmlns:q="urn:widgets">q:{}</wsa:PortType>',
    "oasis": '<wsa:Metadata><m:InterfaceName xmlns:m="http://www.w3.org/2007/05/addressing/metadata"'
    ' xmlns:q="urn:widgets">q:{}</m:InterfaceName></wsa:Metadata>',
}


def rules(service: RunningService, group: str, family: Family) -> list[dict[str, set[str]]]:
    """The rules that a group publishes: each attribute's QNames as Clark names."""
    answer = soap.get_property(
        f"{service.url}/wsrf/services/{group}", "sg:MembershipContentRule", family=family
    )
    found = []
    for rule in answer.body:
        assert rule.tag == f"{{{NS[family]['sg']}}}MembershipContentRule"
        found.append({name: clark(rule, value) for name, value in rule.attrib.items()})
    return found


def clark(rule: etree._Element, value: str) -> set[str]:
    names = set()
    for word in value.split():
        prefix, colon, local = word.rpartition(":")
        names.add(f"{{{rule.nsmap[prefix]}}}{local}" if colon else local)
    return names


def add(
    service: RunningService, group: str, family: Family, *, content: str, interface: str = ""
) -> Answer:
    epr = INTERFACES[family].format(interface) if interface else ""
    body = SPELLINGS[family].body(
        "Add",
        f"<sg:MemberEPR><wsa:Address>http://127.0.0.1:1/m</wsa:Address>{epr}</sg:MemberEPR>"
        f"<sg:Content>{content}</sg:Content>",
    )
    return soap.call(f"{service.url}/wsrf/services/{group}", body)


def test_rules_are_published_in_the_final_standard(service: RunningService) -> None:
    assert rules(service, "Ruled", "oasis") == [
        {
            "MemberInterfaces": {"{urn:widgets}Press", "{urn:widgets}Saw"},
            "ContentElements": {"{urn:w}A"},
        },
        {"ContentElements": {"{urn:w}Licence", "bare"}},
    ]
    demanding = [{"MemberInterfaces": {"{urn:widgets}Press"}, "ContentElements": set()}]
    assert rules(service, "Demanding", "oasis") == demanding


def test_rules_are_published_in_the_draft_with_one_interface_each(service: RunningService) -> None:
    assert rules(service, "Ruled", "gt4") == [
        {"MemberInterface": {"{urn:widgets}Press"}, "ContentElements": {"{urn:w}A"}},
        {"MemberInterface": {"{urn:widgets}Saw"}, "ContentElements": {"{urn:w}A"}},
        {"ContentElements": {"{urn:w}Licence", "bare"}},
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_group_without_rules_publishes_none(service: RunningService, family: Family) -> None:
    assert rules(service, "Open", family) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_rules_are_found_by_queries_too(service: RunningService, family: Family) -> None:
    group = f"{service.url}/wsrf/services/Ruled"
    count = soap.query(
        group, "count(/*/*[local-name()='MembershipContentRule'])", family=family
    ).body.text
    assert count == ("3" if family == "gt4" else "2")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("interface", "content"),
    [
        ("", LICENCE),
        ("", LICENCE + "<more/>"),
        ("Lathe", LICENCE),
        ("Saw", LICENCE),
        ("Saw", '<w:A xmlns:w="urn:w"/>'),
        ("Press", '<agg:AggregatorData><w:A xmlns:w="urn:w"/></agg:AggregatorData>'),
    ],
)
def test_a_member_that_one_rule_admits_joins(
    service: RunningService, family: Family, interface: str, content: str
) -> None:
    answer = add(service, "Ruled", family, content=content, interface=interface)
    assert soap.entry_of(answer, family).key


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("group", "interface", "content", "fault", "word"),
    [
        ("Ruled", "", "", "ContentCreationFailedFault", "{urn:w}Licence"),
        ("Ruled", "", "<bare/>", "ContentCreationFailedFault", "{urn:w}Licence"),
        ("Ruled", "", '<Licence xmlns="urn:w"/>', "ContentCreationFailedFault", "bare"),
        ("Ruled", "Saw", "<bare/>", "ContentCreationFailedFault", "{urn:w}A"),
        ("Ruled", "", '<w:A xmlns:w="urn:w"/>', "ContentCreationFailedFault", "{urn:w}Licence"),
        ("Demanding", "", soap.IDLE, "UnsupportedMemberInterfaceFault", "{urn:widgets}Press"),
        ("Demanding", "Saw", soap.IDLE, "UnsupportedMemberInterfaceFault", "{urn:widgets}Press"),
    ],
)
def test_a_member_that_no_rule_admits_is_told_what_it_lacks(  # noqa: PLR0917
    service: RunningService,
    family: Family,
    group: str,
    interface: str,
    content: str,
    fault: str,
    word: str,
) -> None:
    address = f"{service.url}/wsrf/services/{group}"
    before = len(soap.entries(address))
    answer = add(service, group, family, content=content, interface=interface)
    assert answer.fault[0] == fault
    assert word in answer.fault[1]
    assert answer.body.find(f".//{{{NS[family]['sg']}}}{fault}") is not None
    assert len(soap.entries(address)) == before


@pytest.mark.parametrize("family", FAMILIES)
def test_a_member_with_the_demanded_interface_joins(
    service: RunningService, family: Family
) -> None:
    answer = add(service, "Demanding", family, content=soap.IDLE, interface="Press")
    assert soap.entry_of(answer, family).key
