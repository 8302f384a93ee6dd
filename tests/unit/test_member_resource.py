"""The member's document: what producers brought, put together as ready bytes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from lxml import etree

from aggregator.errors import CollectError
from aggregator.member import health
from aggregator.member.names import MERGED, PRODUCERS
from aggregator.member.pieces import compose, pieces_of
from aggregator.member.resource import Resource, join_cuts
from aggregator.member.scheduler import computing_elements
from aggregator.member.settings import File, HostFacts, ProducerSettings
from aggregator.model import Health
from aggregator.wire.dialects import FAMILIES, GT4, OASIS, Dialect
from aggregator.wire.namespaces import GLUE, clark
from aggregator.wire.parse import parse
from aggregator.wire.topic_properties import TOPIC_SET, topic_property_names
from tests.shared import SHARED

GLUECE = clark(GLUE, "GLUECE")
SECOND = 1_000_000


def made(name: str, *contents: str) -> str:
    """A property composed of what producers brought."""
    pieces = [
        piece
        for content in contents
        for piece in pieces_of(parse(content.encode()), property_name=name)
    ]
    return b"".join(compose(name, pieces)).decode()


def test_an_element_of_the_propertys_name_is_published_as_it_is() -> None:
    text = '<x:P xmlns:x="urn:p" xmlns:q="urn:q" t="q:n"> a <b/></x:P>'
    assert made("{urn:p}P", f"<!-- c --><?pi?>{text}\n") == text


def test_any_other_element_is_wrapped_and_keeps_its_meaning() -> None:
    text = made("{urn:p?a&b}P", "<a><b/></a>", '<a xmlns="urn:a"/>')
    found = parse(f"<r>{text}</r>".encode())
    assert [child.tag for child in found] == ["{urn:p?a&b}P"] * 2
    assert [child[0].tag for child in found] == ["a", "{urn:a}a"]
    assert made("P", "<a/>") == "<P><a/></P>"


def test_parts_of_a_gluece_become_one_clusters_first() -> None:
    other = '<o xmlns="urn:o"/>'
    ces = f'<c:GLUECE xmlns:c="{GLUE}"><c:ComputingElement c:Name="q"/></c:GLUECE>'
    cluster = f'<Cluster xmlns="{GLUE}"/>'
    found = parse(made(GLUECE, other, ces, cluster).encode())
    assert found.tag == GLUECE
    assert [etree.QName(child).localname for child in found] == ["Cluster", "ComputingElement", "o"]
    assert found[1].get(clark(GLUE, "Name")) == "q"
    assert made(GLUECE) == ""
    assert GLUECE in MERGED


def resource() -> Resource:
    """A resource of two producers of one property and one of another."""
    return Resource(SETTINGS, started=SECOND, release="1<2")


SETTINGS = (
    ProducerSettings("{urn:p}P", File(Path("x")), period=30),
    ProducerSettings(GLUECE, HostFacts("Host")),
    ProducerSettings("{urn:p}P", File(Path("y"))),
)


def whole(found: Resource, dialect: Dialect) -> etree._Element:
    """The document at one instant."""
    return parse(b"NOW".join(found.document(dialect)))


@pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)
def test_the_document_has_every_property_that_has_a_value(dialect: Dialect) -> None:
    found = resource()
    assert b"".join(found.property("{urn:p}P") or (b"?",)) == b""
    assert found.property("{urn:p}Other") is None
    before = found.version
    for number, text in ((2, "<two/>"), (0, "<one/>"), (0, "<uno/>")):
        pieces = pieces_of(parse(text.encode()), property_name="{urn:p}P")
        found.deliver(number, pieces)
    assert found.version > before
    document = whole(found, dialect)
    topic, fixed, spoken, *_ = topic_property_names(dialect)
    assert document.tag == "{urn:mds-aggregator:member}HostRP"
    assert None not in document.nsmap
    assert [child.tag for child in document] == [
        "{urn:p}P",
        "{urn:p}P",
        "{http://mds.globus.org/metadata/2005/02}ServiceMetaDataInfo",
        clark(dialect.rl, "CurrentTime"),
        clark(dialect.rl, "TerminationTime"),
        *[topic] * 2,
        fixed,
        *[spoken] * (3 if dialect is GT4 else 4),
        PRODUCERS,
    ]
    assert [child[0].tag for child in document[:2]] == ["uno", "two"]
    assert [line.text for line in document[2]] == ["1970-01-01T00:00:01.000Z", "1<2", "HostService"]
    assert document[3].text == "NOW"
    elements = found.elements(dialect, at="NOW")
    assert [parse(element).tag for element in elements] == [child.tag for child in document]


def test_what_can_be_configured_can_be_subscribed_to() -> None:
    found = resource()
    told = parse(b"<r>" + b"".join(found.property(topic_property_names(OASIS)[0]) or ()) + b"</r>")
    assert [element.text for element in told] == ["t:P", "t:GLUECE"]
    topics = parse(b"".join(found.property(TOPIC_SET) or ()))
    assert [element.tag for element in topics] == ["{urn:p}P", GLUECE]
    # Asked for by its name alone: a reader of the document wants the properties themselves.
    assert TOPIC_SET in found.names(OASIS)
    assert TOPIC_SET not in [child.tag for child in whole(found, OASIS)]
    assert not set(topic_property_names(OASIS)) & set(found.topics(OASIS))


def test_the_present_time_is_put_in_when_it_is_read() -> None:
    found = resource()
    cut = found.property(clark(GT4.rl, "CurrentTime"))
    assert cut is not None
    assert parse(b"soon".join(cut)).text == "soon"
    assert join_cuts((b"a", b"b"), (b"c",), (b"d", b"", b"e")) == (b"a", b"bcd", b"", b"e")


def test_health_follows_the_schema_and_tells_neither_paths_nor_ages() -> None:
    found = resource()
    error = CollectError("bad \x01 <news>", code="exit-status", detail="/secret/path")
    first = health.failed(Health(), error, at=5 * SECOND)
    second = health.failed(first, error, at=6 * SECOND)
    assert (second.consecutive_failures, second.since) == (2, 5 * SECOND)
    found.set_health(0, second)
    found.set_health(1, health.succeeded(second, at=7 * SECOND))
    told = whole(found, OASIS)[-1]
    assert b"secret" not in etree.tostring(told)
    assert [producer.get("kind") for producer in told] == ["file", "host", "file"]
    assert [producer.get("period") for producer in told] == ["30", "0", "0"]
    assert (told[0][0].text, told[0][0].nsmap["p"]) == ("p:P", "urn:p")
    schema = etree.XMLSchema(
        etree.fromstring(files("aggregator.schemas").joinpath("health.xsd").read_bytes())
    )
    for producer in told:
        schema.assertValid(producer[1])
    lines = {etree.QName(line).localname: line.text for line in told[0][1]}
    assert lines["message"] == "bad \ufffd <news>"
    assert lines["since"] == "1970-01-01T00:00:05.000Z"
    assert "code" not in {etree.QName(line).localname for line in told[1][1]}


QUEUES = f"""<Scheduler xmlns="http://mds.globus.org/batchproviders/2004/09" xmlns:c="{GLUE}">
<c:Info c:LRMSType="PBS"/><c:Job c:LocalID="7"/>
<Queue name="q&lt;"><totalnodes>151</totalnodes><freenodes>139</freenodes><totalJobs>9</totalJobs>
<runningJobs>4</runningJobs><maxtime>60</maxtime><maxCPUtime>unlimited</maxCPUtime>
<maxRunningJobs>0</maxRunningJobs><status>enabled</status></Queue></Scheduler>"""


def test_queues_become_computing_elements() -> None:
    (element,) = computing_elements(parse(QUEUES.encode()))
    attributes = {
        etree.QName(part).localname: {
            etree.QName(name).localname: value for name, value in part.items()
        }
        for part in element
    }
    assert element.get(clark(GLUE, "Name")) == "q<"
    assert attributes == {
        "Info": {"TotalCPUs": "151", "LRMSType": "PBS"},
        "State": {
            "Status": "enabled",
            "TotalJobs": "9",
            "RunningJobs": "4",
            "WaitingJobs": "5",
            "FreeCPUs": "139",
        },
        "Policy": {"MaxWallClockTime": "60"},
        "Job": {"LocalID": "7"},
    }


@pytest.mark.parametrize("text", ["<Scheduler/>", QUEUES.replace("Queue", "Other")])
def test_what_is_no_schedulers_output_is_told(text: str) -> None:
    with pytest.raises(CollectError) as caught:
        computing_elements(parse(text.encode()))
    assert caught.value.code == "not-scheduler"


def test_the_toolkits_sample_becomes_a_valid_gluece() -> None:
    folder = SHARED / "schemas" / "gt4"
    if not folder.exists():
        pytest.skip("the published schemas are not here")
    sample = (folder / "etc/usefulrp/glue-batch-test.xml").read_bytes()
    document = computing_elements(parse(sample))
    etree.XMLSchema(file=str(folder / "mds/usefulrp/ce.xsd")).assertValid(document)
    assert [element.get(clark(GLUE, "Name")) for element in document] == ["another queue", "dque"]
