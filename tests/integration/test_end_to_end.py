"""The main job on real processes: register, collect, index, query, renew, expire."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
from lxml import etree

from tests import soap
from tests.member import running_member
from tests.misbehaving import misbehaving
from tests.soap import AGG, NS, Family
from tests.waiting import until

GLUE = "http://mds.globus.org/glue/ce/1.1"
METADATA = "http://mds.globus.org/metadata/2005/02"
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")
#: What the three poll types ask the member for, and what they publish.
POLLS = {
    "GetResourceProperty": (
        "<agg:ResourcePropertyName>glue:Host</agg:ResourcePropertyName>",
        {f"{{{GLUE}}}Host"},
    ),
    "GetMultipleResourceProperties": (
        "<agg:ResourcePropertyNames>glue:Host</agg:ResourcePropertyNames>"
        "<agg:ResourcePropertyNames>md:ServiceMetaDataInfo</agg:ResourcePropertyNames>",
        {f"{{{GLUE}}}Host", f"{{{METADATA}}}ServiceMetaDataInfo"},
    ),
    "QueryResourceProperties": (
        f'<agg:QueryExpression Dialect="{soap.XPATH}">//glue:ProcessorLoad</agg:QueryExpression>',
        {f"{{{GLUE}}}ProcessorLoad"},
    ),
}


def poll_config(poll: str, dialect: str) -> str:
    """An AggregatorConfig that polls in one dialect alone."""
    return (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}" xmlns:glue="{GLUE}" xmlns:md="{METADATA}">'
        f"<agg:{poll}PollType><agg:PollIntervalMillis>500</agg:PollIntervalMillis>"
        f"{POLLS[poll][0]}</agg:{poll}PollType>"
        f'<s:Dialect xmlns:s="urn:mds-aggregator:source">{dialect}</s:Dialect>'
        "</agg:AggregatorConfig>"
    )


@pytest.fixture(scope="module")
def member() -> Iterator[str]:
    """A WSRF resource that polls can reach."""
    with running_member() as url:
        yield url


def data_of(group: str, key: str, family: Family) -> list[etree._Element]:
    """The children of the AggregatorData of an entry."""
    for entry in soap.entries(group, family=family):
        if entry.find(f".//{{{AGG}}}EntryKey").text == key:
            data = entry.find(f".//{{{AGG}}}AggregatorData")
            return [] if data is None else list(data)
    return []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_member_is_polled_and_indexed(group: str, member: str, family: Family) -> None:
    config = soap.get_property_config("glue:Host", declare=f'xmlns:glue="{GLUE}"')
    entry = soap.add(group, member, config, family=family)
    (host,) = until(lambda: data_of(group, entry.key, family), what="polled data")
    assert host.tag == f"{{{GLUE}}}Host"
    other: Family = "oasis" if family == "gt4" else "gt4"
    assert data_of(group, entry.key, other)[0].tag == host.tag


@pytest.mark.parametrize("poll", POLLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_poll_type_collects_in_each_dialect(
    group: str, member: str, poll: str, family: Family
) -> None:
    """The registration names the dialect, so that no other one can have brought the data."""
    entry = soap.add(group, member, poll_config(poll, family), family=family)
    found = until(lambda: data_of(group, entry.key, family), what="polled data")
    assert {child.tag for child in found} == POLLS[poll][1]
    assert all(child.xpath("normalize-space() or .//@*") for child in found), "no values in it"


@pytest.mark.parametrize("dialect", ["gt4", "oasis", "wsrf-lite"])
def test_the_dialect_of_a_registration_is_the_one_that_is_spoken(group: str, dialect: str) -> None:
    """From the first request on, although the EPR's dialect is another, and no other after it."""
    family: Family = "oasis" if dialect == "gt4" else "gt4"
    spoken: Family = "gt4" if dialect == "gt4" else "oasis"
    config = poll_config("GetResourceProperty", dialect)
    with misbehaving() as server:
        for path in (f"/only/{dialect}", f"/only/{'oasis' if spoken == 'gt4' else 'gt4'}"):
            soap.add(group, f"{server.url}{path}", config, family=family)
            until(lambda path=path: server.journal.count(path) >= 2, what="two polls")
        asked = list(server.journal.asked)
    for request in asked:
        name = f"{{{NS[spoken]['rp']}}}GetResourceProperty"
        (body,) = etree.fromstring(request.body).findall("{*}Body")
        assert [child.tag for child in body] == [name]
        assert ("#" in request.headers["soapaction"]) == (dialect == "wsrf-lite")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_probe_is_run_and_indexed(group: str, family: Family) -> None:
    entry = soap.add(
        group,
        "http://127.0.0.1:1/service",
        soap.execution_config("aggregator-exec-test"),
        family=family,
    )
    (data,) = until(lambda: data_of(group, entry.key, family), what="probed data")
    assert etree.QName(data).localname == "exampleProbedInformation"


def test_an_xpath_finds_what_was_collected(group: str, member: str) -> None:
    config = soap.get_property_config("glue:Host", declare=f'xmlns:glue="{GLUE}"')
    entry = soap.add(group, member, config)
    until(lambda: data_of(group, entry.key, "oasis"), what="polled data")
    answer = soap.query(
        group, "//glue:Host/@glue:Name", declare=f'xmlns:glue="{GLUE}"', family="gt4"
    )
    assert answer.status == 200
    assert (answer.body.text or "").strip()
    counted = soap.query(group, "count(//*[local-name()='Entry'])")
    assert counted.body.text == "1"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_entry_leaves_at_its_termination_time(group: str, family: Family) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/a", family=family)
    stays = soap.add(group, "http://127.0.0.1:1/b", family=family)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1.5)
    reply = soap.set_termination_time(entry, soon.isoformat(), family=family)
    assert reply.status == 200
    assert len(soap.entries(group)) == 2
    until(lambda: datetime.datetime.now(datetime.UTC) > soon)
    (left,) = soap.entries(group)
    assert stays.key in etree.tostring(left).decode()
    answer = soap.get_property(entry.address, "rl:CurrentTime", header=entry.header, family=family)
    assert answer.fault[0] == "ResourceUnknownFault"
    renewed = soap.set_termination_time(entry, None, family=family)
    assert renewed.fault[0] == "ResourceUnknownFault"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_entry_is_renewed_and_destroyed(group: str, family: Family) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/a", family=family, termination=None)
    later = "2031-01-02T03:04:05.678Z"
    reply = soap.set_termination_time(entry, later, family=family).body
    assert reply.findtext(f"{{{NS[family]['rl']}}}NewTerminationTime") == later
    answer = soap.get_property(
        entry.address, "rl:TerminationTime", header=entry.header, family=family
    )
    assert answer.body[0].text == later
    assert soap.destroy(entry, family=family).status == 200
    assert soap.entries(group) == []
    assert soap.destroy(entry, family=family).fault[0] == "ResourceUnknownFault"


def test_set_termination_time_in_the_past_deregisters(group: str) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/a", family="gt4")
    assert soap.set_termination_time(entry, "2001-01-01T00:00:00Z", family="gt4").status == 200
    assert soap.entries(group) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_elements_of_a_configuration_that_nobody_claims_are_kept_and_published(
    group: str, family: Family
) -> None:
    """With their attributes and the prefixes of QNames in their text; beside what is collected."""
    own = (
        '<s:Site xmlns:s="urn:site" xmlns:q="urn:names" s:tier="2"><s:Contact>a &amp; b</s:Contact>'
        "<s:Kind>q:Tape</s:Kind></s:Site><Plain><!-- mine --></Plain>"
    )
    probe = soap.execution_config("aggregator-exec-test")
    config = probe.replace("</agg:AggregatorConfig>", f"{own}</agg:AggregatorConfig>")
    assert own in config
    entry = soap.add(group, "http://127.0.0.1:1/own", config, family=family)
    until(lambda: data_of(group, entry.key, family), what="probed data")
    for reader in FAMILIES:
        (found,) = soap.entries(group, family=reader)
        shown = found.find(f".//{{{AGG}}}AggregatorConfig")
        names = [f"{{{AGG}}}ExecutionPollType", "{urn:site}Site", "Plain"]
        assert [child.tag for child in shown.iterchildren(tag="*")] == names
        site = shown.find("{urn:site}Site")
        assert site.get("{urn:site}tier") == "2"
        assert site.findtext("{urn:site}Contact") == "a & b"
        kind = site.find("{urn:site}Kind")
        assert (kind.text, kind.nsmap["q"]) == ("q:Tape", "urn:names")
        expression = "string(//s:Site[@s:tier > 1]/s:Contact)"
        answer = soap.query(group, expression, family=reader, declare='xmlns:s="urn:site"')
        assert answer.body.text == "a & b"
