"""Small requests that grew: in memory, in the store, or in what others then read."""
# ruff: noqa: F401, F811 (a fixture is imported, and arguments have its name)

from __future__ import annotations

import subprocess
import sys

from lxml import etree

from tests import soap
from tests.service import RunningService
from tests.soap import AGG, SOAP11

from .fresh_eyes import OASIS, add_plain, plain, seen


def test_namespaces_do_not_multiply_the_content_of_a_plain_registry(seen: RunningService) -> None:
    """A request of 120 kB that would else be 400 MB in the store, and in every reply."""
    declare = " ".join(f'xmlns:n{n}="urn:{"x" * 1000}"' for n in range(100))
    body = add_plain("<a/>" * 4000, declare=declare)
    name, text = soap.call(plain(seen), body).fault
    assert name == "AddRefusedFault"
    assert "Content" in text
    assert "namespaces in their scope" in text


def test_a_member_that_grows_when_it_is_stored_does_not_make_the_group_unreadable(
    seen: RunningService,
) -> None:
    """A CDATA section of 1.2 MB is written back with 4.8 MB, which is over the limit for requests.

    It was read again within that limit, and who asked for the group was told so.
    """
    member = (
        "<sg:MemberEPR><wsa:Address>urn:member</wsa:Address><wsa:ReferenceParameters><K/>"
        f"</wsa:ReferenceParameters><![CDATA[{'<' * 1_200_000}]]></sg:MemberEPR>"
    )
    entry = soap.entry_of(soap.call(plain(seen, "Grown"), add_plain("", member=member)))
    for family in ("gt4", "oasis"):
        assert len(soap.entries(plain(seen, "Grown"), family=family)) == 1
        count = soap.query(plain(seen, "Grown"), "count(//*[local-name()='K'])", family=family)
        assert count.body.text == "1"
    assert soap.get_property(entry.address, "sg:MemberEPR").status == 200


def test_namespaces_do_not_multiply_the_requests_to_a_member(seen: RunningService) -> None:
    names = "<agg:ResourcePropertyNames>p:a</agg:ResourcePropertyNames>" * 17_000
    config = (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}" xmlns:p="urn:{"x" * 1000}">'
        "<agg:GetMultipleResourcePropertiesPollType><agg:PollIntervalMillis>3600000"
        f"</agg:PollIntervalMillis>{names}</agg:GetMultipleResourcePropertiesPollType>"
        "</agg:AggregatorConfig>"
    )
    name, text = soap.call(seen.group, soap.add_body("http://127.0.0.1:1/m", config)).fault
    assert name == "AddRefusedFault"
    assert "ResourcePropertyNames: with their namespaces" in text


def test_a_property_that_is_asked_for_again_and_again_is_made_once(seen: RunningService) -> None:
    name = "<rp:ResourceProperty>agg:RegistrationCount</rp:ResourceProperty>"
    other = "<rp:ResourceProperty>rl:CurrentTime</rp:ResourceProperty>"
    body = (
        f'<rp:GetMultipleResourceProperties xmlns:rp="{OASIS["rp"]}" xmlns:agg="{AGG}" '
        f'xmlns:rl="{OASIS["rl"]}">{name * 5000}{other}{name * 5000}'
        "</rp:GetMultipleResourceProperties>"
    )
    answer = soap.call(seen.group, body)
    tags = [etree.QName(child).localname for child in answer.body]
    assert tags == ["RegistrationCount", "CurrentTime"]


def test_ids_of_several_members_do_not_make_the_group_unreadable(seen: RunningService) -> None:
    """Parsers such as lxml's own refuse a document in which an xml:id comes twice, or is none."""
    group = plain(seen, "Other")
    member = (
        '<sg:MemberEPR><wsa:Address>urn:member</wsa:Address><wsa:ReferenceParameters><K xml:id="k"'
        "/></wsa:ReferenceParameters></sg:MemberEPR>"
    )
    for content in (
        '<a xml:id="x" id="x">xml:id</a>',
        '<a xml:id="x"/>',
        '<b xml:id="1 is none"/>',
    ):
        assert soap.call(group, add_plain(content, member=member)).status == 200
    for family in ("gt4", "oasis"):
        assert len(soap.entries(group, family=family)) == 3
        found = soap.query(group, "//*[local-name()='a']", family=family).body
        assert [child.get("id") for child in found] == ["x", None]
        assert found[0].text == "xml:id"
        assert len(soap.query(group, "/", family=family).body[0]) >= 3


def test_names_of_headers_do_not_grow_by_their_namespace(seen: RunningService) -> None:
    """A request of 100 kB that once took half a gigabyte."""
    headers = '<p:a s:mustUnderstand="1"/>' * 2000
    content = (
        f'<s:Envelope xmlns:s="{SOAP11}" xmlns:p="urn:{"x" * 50_000}"><s:Header>{headers}'
        "</s:Header><s:Body><a/></s:Body></s:Envelope>"
    )
    answer = soap.post(seen.group, content.encode())
    assert "at most 1024" in answer.fault[1]


def test_what_is_read_as_a_property_is_found_by_an_expression(seen: RunningService) -> None:
    """An entry comes with as many namespaces as a request may hold, and the document adds some."""
    declare = " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(123))
    config = soap.IDLE.replace("<agg:AggregatorConfig ", f"<agg:AggregatorConfig {declare} ")
    entry = soap.add(seen.group, "http://127.0.0.1:1/m", config)
    assert len(soap.entries(seen.group)) == 1
    assert soap.query(seen.group, "count(//*[local-name()='Entry'])").body.text == "1"
    assert soap.destroy(entry).status == 200


def test_our_own_commands_read_what_the_limits_for_requests_let_in(seen: RunningService) -> None:
    declare = " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(123))
    deep = f"{'<a>' * 122}{'</a>' * 122}"
    config = soap.IDLE.replace("<agg:AggregatorConfig ", f"<agg:AggregatorConfig {declare} ")
    config = config.replace("</agg:AggregatorConfig>", f"{deep}</agg:AggregatorConfig>")
    entry = soap.add(seen.group, "http://127.0.0.1:1/m", config)
    for expression in ("/", "//*[local-name()='Entry']"):
        command = [sys.executable, "-m", "aggregator", "query", seen.group, expression]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert entry.key.encode() in done.stdout
    assert soap.destroy(entry).status == 200
