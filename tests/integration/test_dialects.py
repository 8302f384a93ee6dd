"""Every operation in the three spellings of the field and both SOAP versions, and across them."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from tests import soap
from tests.integration.spellings import (
    OPERATIONS,
    SPELLINGS,
    VERSIONS,
    Spelling,
    header_text,
    message_id,
)
from tests.service import RunningService
from tests.soap import AGG, NS, SOAP11, SOAP12, Answer, EntryReference

KINDS = {SOAP11: "text/xml", SOAP12: "application/soap+xml"}
LATER = "2041-02-03T04:05:06.789Z"


@pytest.fixture(params=SPELLINGS)
def spelling(request: pytest.FixtureRequest) -> Spelling:
    return SPELLINGS[request.param]


def ask(
    spelling: Spelling, url: str, operation: str, body: str, *, version: str, key: str = ""
) -> Answer:
    """Send a request with all its headers and check all of the reply but its content."""
    message = message_id()
    header = spelling.headers(operation, to=url, message=message) + key
    kind = KINDS[version]
    action = spelling.action(operation)
    headers = {"SOAPAction": f'"{action}"', "Content-Type": f"{kind}; charset=utf-8"}
    if version == SOAP12:
        headers = {"Content-Type": f'{kind}; charset=utf-8; action="{action}"'}
    answer = soap.post(url, soap.envelope(body, header=header, soap=version), headers=headers)
    assert answer.status == 200, answer.content
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    root = etree.fromstring(answer.content)
    assert root.tag == f"{{{version}}}Envelope"
    prefix = OPERATIONS[operation][0]
    assert answer.body.tag == f"{{{NS[spelling.family][prefix]}}}{operation}Response"
    wsa = NS[spelling.family]["wsa"]
    assert header_text(answer, wsa, "Action") == [spelling.action(operation, reply=True)]
    assert header_text(answer, wsa, "RelatesTo") == [message]
    (own,) = header_text(answer, wsa, "MessageID")
    assert own not in ("", message)
    return answer


def place(spelling: Spelling, entry: EntryReference) -> tuple[str, str]:
    """Where a client of this spelling sends a call to an entry, and the key header that it adds.

    The address with the key in its path is all that WSRF::Lite keeps; others may drop the path.
    """
    if spelling.key_in_path:
        return entry.address, ""
    return entry.address.removesuffix(f"/{entry.key}"), entry.header


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_every_operation_of_a_group_and_its_entry(
    group: str, spelling: Spelling, version: str
) -> None:
    ns = NS[spelling.family]

    def on_group(operation: str, body: str) -> etree._Element:
        return ask(spelling, group, operation, body, version=version).body

    added = ask(spelling, group, "Add", spelling.add("http://127.0.0.1:1/m"), version=version)
    entry = soap.entry_of(added, spelling.family)
    url, key = place(spelling, entry)

    def on_entry(operation: str, body: str) -> etree._Element:
        return ask(spelling, url, operation, body, version=version, key=key).body

    def get(name: str) -> str:
        return spelling.body("GetResourceProperty", name)

    (found,) = on_group("GetResourceProperty", get("sg:Entry"))
    assert found.findtext(f".//{{{AGG}}}EntryKey") == entry.key
    names = "".join(
        f"<rp:ResourceProperty>{name}</rp:ResourceProperty>"
        for name in ("rl:CurrentTime", "sg:Entry", "agg:RegistrationCount")
    )
    several = spelling.body("GetMultipleResourceProperties", names)
    assert [child.tag for child in on_group("GetMultipleResourceProperties", several)] == [
        f"{{{ns['rl']}}}CurrentTime",
        f"{{{ns['sg']}}}Entry",
        f"{{{AGG}}}RegistrationCount",
    ]
    count = spelling.query("count(//*[local-name()='Entry'])")
    assert on_group("QueryResourceProperties", count).text == "1"
    (root,) = on_group("QueryResourceProperties", spelling.query("/"))
    assert root.tag == "{http://mds.globus.org/index}IndexRP"

    set_time = f"<rl:RequestedTerminationTime>{LATER}</rl:RequestedTerminationTime>"
    renewed = on_entry("SetTerminationTime", spelling.body("SetTerminationTime", set_time))
    assert renewed.findtext(f"{{{ns['rl']}}}NewTerminationTime") == LATER
    assert on_entry("GetResourceProperty", get("rl:TerminationTime"))[0].text == LATER
    names = "<rp:ResourceProperty>sg:MemberEPR</rp:ResourceProperty>"
    (member,) = on_entry(
        "GetMultipleResourceProperties", spelling.body("GetMultipleResourceProperties", names)
    )
    assert member.findtext(f"{{{ns['wsa']}}}Address") == "http://127.0.0.1:1/m"
    ends = spelling.query("string(//*[local-name()='TerminationTime'])")
    assert on_entry("QueryResourceProperties", ends).text == LATER
    if spelling.family == "oasis":
        whole = spelling.body("GetResourcePropertyDocument")
        assert etree.QName(on_group("GetResourcePropertyDocument", whole)[0]).localname == "IndexRP"
        (document,) = on_entry("GetResourcePropertyDocument", whole)
        assert document.findtext(f"{{{ns['rl']}}}TerminationTime") == LATER
    on_entry("Destroy", spelling.body("Destroy"))
    assert soap.entries(group) == []


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_faults_are_of_the_spelling_and_relate_to_their_request(
    group: str, spelling: Spelling, version: str
) -> None:
    ns = NS[spelling.family]
    refused = spelling.add("http://127.0.0.1:1/m", "")
    unknown = spelling.body("Destroy")
    nobody = spelling.body("GetResourceProperty", "sg:Nothing")
    for url, operation, body, detail in (
        (group, "Add", refused, f"{{{ns['sg']}}}AddRefusedFault"),
        (f"{group}Entry/0", "Destroy", unknown, "ResourceUnknownFault"),
        (f"{group}NoSuch", "Destroy", unknown, "ResourceUnknownFault"),
        (group, "GetResourceProperty", nobody, "InvalidResourcePropertyQNameFault"),
    ):
        message = message_id()
        header = spelling.headers(operation, to=url, message=message)
        answer = soap.call(url, body, header=header, soap=version)
        assert answer.status == (500 if version == SOAP11 else 400)
        found = answer.body.find(f".//{{{ns['bf']}}}Timestamp").getparent()
        assert found.tag.endswith(detail)
        assert header_text(answer, ns["wsa"], "RelatesTo") == [message]
        fault_action = {
            "gt4": "http://schemas.xmlsoap.org/ws/2004/03/addressing/fault",
            "oasis": "http://docs.oasis-open.org/wsrf/fault",
        }[spelling.family]
        assert header_text(answer, ns["wsa"], "Action") == [fault_action]


def test_without_addressing_headers_the_reply_has_none(group: str) -> None:
    answer = soap.call(group, soap.add_body("http://127.0.0.1:1/m"))
    assert answer.status == 200
    assert b"Header" not in answer.content


@pytest.mark.parametrize(
    "action",
    [
        None,
        "",
        '""',
        '"urn:somebody-else#Frob"',
        '"http://docs.oasis-open.org/wsrf/rlw-2/ImmediateResourceTermination/DestroyRequest"',
        "\xff\xfe{}",
    ],
)
@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_a_wrong_soapaction_is_irrelevant(group: str, action: str | None, version: str) -> None:
    headers = {"Content-Type": f"{KINDS[version]}; charset=utf-8"}
    if action is not None:
        headers["SOAPAction"] = action
    for family in ("gt4", "oasis"):
        body = soap.add_body("http://127.0.0.1:1/m", family=family)
        answer = soap.post(group, soap.envelope(body, soap=version), headers=headers)
        assert soap.entry_of(answer, family).key


def test_a_wrong_wsa_action_is_irrelevant_too(group: str) -> None:
    header = SPELLINGS["gt4"].headers("Destroy", to=group, message="uuid:1")
    answer = soap.call(group, soap.add_body("http://127.0.0.1:1/m", family="gt4"), header=header)
    assert soap.entry_of(answer, "gt4").key


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_addressing_of_another_version_is_answered_in_that_version(
    group: str, family: soap.Family
) -> None:
    """Body and headers may come of different ages: each is answered in its own."""
    wsa = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
    header = f'<a:MessageID xmlns:a="{wsa}">uuid:7</a:MessageID>'
    answer = soap.call(group, soap.add_body("http://127.0.0.1:1/m", family=family), header=header)
    assert header_text(answer, wsa, "RelatesTo") == ["uuid:7"]
    assert soap.entry_of(answer, family).key


WIDGETS = (
    '<w:Site xmlns:w="urn:widgets" xmlns:t="urn:types" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="t:Key">t:17</w:Site>'
)
CONFIG = (
    f'<agg:AggregatorConfig xmlns:agg="{AGG}" xmlns:glue="http://mds.globus.org/glue/ce/1.1" '
    'xmlns:unused="urn:unused"><agg:GetResourcePropertyPollType><agg:PollIntervalMillis> 3600000 '
    "</agg:PollIntervalMillis>"
    "<agg:ResourcePropertyName>\n  glue:GLUECE\n</agg:ResourcePropertyName>"
    '</agg:GetResourcePropertyPollType><note xml:lang="de">unused:x &amp; \u00fc</note>'
    "</agg:AggregatorConfig>"
)


def config_bytes(group: str, family: soap.Family) -> bytes:
    content = soap.get_property(group, "sg:Entry", family=family).content
    (found,) = re.findall(rb"<agg:AggregatorConfig.*?</agg:AggregatorConfig>", content, re.DOTALL)
    return bytes(found)


@pytest.mark.parametrize("written", ["gt4", "oasis"])
def test_an_entry_of_one_dialect_reads_in_the_other(group: str, written: soap.Family) -> None:
    member = "http://127.0.0.1:1/m?a=1&amp;b=2"
    entry = soap.add(group, member, CONFIG, family=written, references=WIDGETS)
    for family in ("gt4", "oasis"):
        ns = NS[family]
        (found,) = soap.entries(group, family=family)
        assert found.tag == f"{{{ns['sg']}}}Entry"
        epr = found.find(f"{{{ns['sg']}}}MemberServiceEPR")
        assert epr.findtext(f"{{{ns['wsa']}}}Address") == "http://127.0.0.1:1/m?a=1&b=2"
        holder = "ReferenceProperties" if family == "gt4" else "ReferenceParameters"
        (site,) = epr.find(f"{{{ns['wsa']}}}{holder}")
        assert site.tag == "{urn:widgets}Site"
        assert site.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "t:Key"
        assert (site.text, site.nsmap["t"]) == ("t:17", "urn:types")
        assert found.findtext(f"{{{ns['sg']}}}ServiceGroupEntryEPR/{{{ns['wsa']}}}Address") == (
            entry.address
        )
        name = found.find(f".//{{{AGG}}}ResourcePropertyName")
        assert name.text.strip() == "glue:GLUECE"
        assert name.nsmap["glue"] == "http://mds.globus.org/glue/ce/1.1"
        note = found.find(".//note")
        assert (note.text, note.nsmap["unused"]) == ("unused:x & \u00fc", "urn:unused")
        assert note.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert config_bytes(group, "gt4") == config_bytes(group, "oasis")


def test_who_asks_for_a_property_of_the_other_dialect_gets_that_one(group: str) -> None:
    """The namespace of a property's name decides how it is written, not that of the request."""
    soap.add(group, "http://127.0.0.1:1/m", family="gt4")
    ns = NS["oasis"]
    body = (
        f'<rp:GetResourceProperty xmlns:rp="{NS["gt4"]["rp"]}" xmlns:sg="{ns["sg"]}">sg:Entry'
        "</rp:GetResourceProperty>"
    )
    answer = soap.call(group, body)
    assert answer.body.tag == f"{{{NS['gt4']['rp']}}}GetResourcePropertyResponse"
    assert answer.body[0].tag == f"{{{ns['sg']}}}Entry"
    assert answer.body[0].find(f".//{{{ns['wsa']}}}Address") is not None


def test_an_entry_of_one_dialect_is_renewed_and_ended_in_the_other(
    served: RunningService, group: str
) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/m", family="gt4")
    assert soap.set_termination_time(entry, LATER, family="oasis").status == 200
    answer = soap.get_property(entry.address, "rl:TerminationTime", family="gt4")
    assert answer.body[0].text == LATER
    assert soap.destroy(entry, family="oasis").status == 200
    assert soap.entries(group, family="gt4") == []
