"""The project's schemas compile, resolve among themselves, and judge messages rightly."""

from __future__ import annotations

import functools
from importlib.resources import files
from urllib.parse import urljoin

import pytest
import xmlschema
from lxml import etree

from aggregator.server.schemas import names, schema

XSD = "{http://www.w3.org/2001/XMLSchema}"
REFERENCES = (f"{XSD}import", f"{XSD}include", f"{XSD}redefine")
WSA4 = "http://schemas.xmlsoap.org/ws/2004/03/addressing"
WSA5 = "http://www.w3.org/2005/08/addressing"
DRAFT = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-{}-1.2-draft-01.xsd"
WSSG, WSRP, WSRL, WSBF = (
    DRAFT.format(name)
    for name in ("ServiceGroup", "ResourceProperties", "ResourceLifetime", "BaseFaults")
)
FINAL = "http://docs.oasis-open.org/wsrf/"
AGG = "http://mds.globus.org/aggregator/types"
INDEX = "http://mds.globus.org/index"
METRICS = "http://mds.globus.org/metrics/2004/09"
HEALTH = "urn:mds-aggregator:health"
TIME = "2026-01-01T00:20:00Z"

CONFIG = (
    f'<a:AggregatorConfig xmlns:a="{AGG}"><a:GetResourcePropertyPollType xmlns:w="http://widgets.example/">'
    "<a:PollIntervalMillis>40000</a:PollIntervalMillis>"
    "<a:ResourcePropertyName>w:foo</a:ResourcePropertyName></a:GetResourcePropertyPollType>"
    f'</a:AggregatorConfig><a:AggregatorData xmlns:a="{AGG}"/>'
)
ERROR = (
    f'<a:AggregatorError xmlns:a="{AGG}"><h:health xmlns:h="{HEALTH}"><h:code>timeout</h:code>'
    f"<h:message>no answer in 10 s</h:message><h:since>{TIME}</h:since>"
    "<h:consecutiveFailures>3</h:consecutiveFailures></h:health></a:AggregatorError>"
)
TYPED = (
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    f' xmlns:t="{AGG}" xsi:type="t:AggregatorContent"'
)
KEY = (
    f'<k:ServiceGroupEntryKey xmlns:k="{INDEX}" xmlns:a="{AGG}"><a:GroupKey>index</a:GroupKey>'
    "<a:EntryKey>7</a:EntryKey></k:ServiceGroupEntryKey>"
)
EPR4 = (
    f'<w:Address xmlns:w="{WSA4}">http://site/Entry</w:Address>'
    f'<w:ReferenceProperties xmlns:w="{WSA4}">{KEY}</w:ReferenceProperties>'
)
EPR5 = (
    f'<w:Address xmlns:w="{WSA5}">http://site/Entry</w:Address>'
    f'<w:ReferenceParameters xmlns:w="{WSA5}">{KEY}</w:ReferenceParameters>'
)
HEALTHY = (
    f'<h:health xmlns:h="{HEALTH}"><h:lastAttempt>{TIME}</h:lastAttempt>'
    f"<h:lastSuccess>{TIME}</h:lastSuccess><h:consecutiveFailures>0</h:consecutiveFailures>"
    "<h:skippedOverruns>0</h:skippedOverruns></h:health>"
)
COUNT = (
    f'<a:RegistrationCount xmlns:a="{AGG}" xmlns:m="{METRICS}"><m:startTime>{TIME}</m:startTime>'
    f"<m:lastChange>{TIME}</m:lastChange><m:total>2</m:total>"
    "<m:expRate><m:rate>0.016</m:rate><m:decay>60</m:decay></m:expRate></a:RegistrationCount>"
)


def of(dialect: str, spec: str) -> str:
    """The namespace of a specification in a dialect."""
    drafts = {"sg": WSSG, "rp": WSRP, "rl": WSRL, "bf": WSBF}
    return drafts[spec] if dialect == "gt4" else f"{FINAL}{spec}-2"


def epr(dialect: str) -> str:
    """The inside of an endpoint reference with a key."""
    return EPR4 if dialect == "gt4" else EPR5


def content(dialect: str, inside: str = CONFIG) -> str:
    """Content, as each dialect carries configuration and data."""
    typed = TYPED if dialect == "gt4" else ""
    return f'<g:Content xmlns:g="{of(dialect, "sg")}"{typed}>{inside}</g:Content>'


def add(dialect: str, *, member: str | None = None, end: str = TIME) -> str:
    """Add, whole or with one part changed."""
    sg = of(dialect, "sg")
    return (
        f'<g:Add xmlns:g="{sg}"><g:MemberEPR>{epr(dialect) if member is None else member}'
        f"</g:MemberEPR>{content(dialect)}"
        f"<g:InitialTerminationTime>{end}</g:InitialTerminationTime></g:Add>"
    )


def entry(dialect: str) -> str:
    """Entry with configuration, data and trouble."""
    return (
        f'<g:Entry xmlns:g="{of(dialect, "sg")}"><g:ServiceGroupEntryEPR>{epr(dialect)}'
        f"</g:ServiceGroupEntryEPR><g:MemberServiceEPR>{epr(dialect)}</g:MemberServiceEPR>"
        f"{content(dialect, CONFIG + ERROR)}</g:Entry>"
    )


def entry_document(dialect: str) -> str:
    """The property document of an entry, in its order."""
    sg, rl = of(dialect, "sg"), of(dialect, "rl")
    return (
        f'<a:ServiceGroupEntryRP xmlns:a="{AGG}" xmlns:g="{sg}" xmlns:l="{rl}">'
        f"<l:TerminationTime>{TIME}</l:TerminationTime><g:MemberEPR>{epr(dialect)}</g:MemberEPR>"
        f"{content(dialect)}<l:CurrentTime>{TIME}</l:CurrentTime>"
        f"<g:ServiceGroupEPR>{epr(dialect)}</g:ServiceGroupEPR>{HEALTHY}</a:ServiceGroupEntryRP>"
    )


def group_document(dialect: str) -> str:
    """The property document of an index with one entry, in its order."""
    sg, rl = of(dialect, "sg"), of(dialect, "rl")
    return (
        f'<i:IndexRP xmlns:i="{INDEX}" xmlns:l="{rl}"><g:MembershipContentRule xmlns:g="{sg}"'
        f' xmlns:a="{AGG}" ContentElements="a:AggregatorConfig"/>{entry(dialect)}{COUNT}'
        f"<l:CurrentTime>{TIME}</l:CurrentTime><l:TerminationTime"
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></i:IndexRP>'
    )


def fault(dialect: str, namespace: str, name: str, cause: str = "") -> str:
    """A typed fault with a description in a language."""
    return (
        f'<f:{name} xmlns:f="{namespace}" xmlns:b="{of(dialect, "bf")}">'
        f'<b:Timestamp>{TIME}</b:Timestamp><b:Description xml:lang="en">no</b:Description>'
        f"{cause}</f:{name}>"
    )


def wrapped(dialect: str, name: str, inside: str) -> str:
    """A message of WS-ResourceProperties around its inside."""
    return f'<p:{name} xmlns:p="{of(dialect, "rp")}" xmlns:g="{WSSG}">{inside}</p:{name}>'


def spoken(dialect: str) -> dict[str, str]:
    """Messages that a dialect knows, by a name for the test."""
    rl = of(dialect, "rl")
    return {
        "Add": add(dialect),
        "Entry": wrapped(dialect, "GetResourcePropertyResponse", entry(dialect)),
        "GetResourceProperty": wrapped(dialect, "GetResourceProperty", " g:Entry\n"),
        "GetMultiple": wrapped(
            dialect,
            "GetMultipleResourceProperties",
            "<p:ResourceProperty>g:Entry</p:ResourceProperty>" * 2,
        ),
        "Query": wrapped(
            dialect,
            "QueryResourceProperties",
            '<p:QueryExpression Dialect="urn:x">/</p:QueryExpression>',
        ),
        "number": wrapped(dialect, "QueryResourcePropertiesResponse", "42"),
        "document": wrapped(
            dialect, "GetResourcePropertyDocumentResponse", entry_document(dialect)
        ),
        "index": wrapped(dialect, "QueryResourcePropertiesResponse", group_document(dialect)),
        "SetTerminationTime": f'<l:SetTerminationTime xmlns:l="{rl}"><l:RequestedTerminationTime>'
        f"{TIME}</l:RequestedTerminationTime></l:SetTerminationTime>",
        "for ever": f'<l:SetTerminationTime xmlns:l="{rl}"><l:RequestedTerminationTime'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="1"/>'
        "</l:SetTerminationTime>",
        "Destroy": f'<l:Destroy xmlns:l="{rl}"/>',
        "AddRefusedFault": fault(dialect, of(dialect, "sg"), "AddRefusedFault"),
    }


GT4_ONLY = {
    "AddResponse": f'<g:AddResponse xmlns:g="{WSSG}">{EPR4}</g:AddResponse>',
    "ResourceUnknownFault": fault("gt4", WSRL, "ResourceUnknownFault"),
    "causes": fault(
        "gt4",
        WSSG,
        "AddRefusedFault",
        f"<b:FaultCause><b:Timestamp>{TIME}</b:Timestamp></b:FaultCause>" * 2,
    ),
}
OASIS_ONLY = {
    "AddResponse": f'<g:AddResponse xmlns:g="{FINAL}sg-2"><g:ServiceGroupEntryReference>{EPR5}'
    f"</g:ServiceGroupEntryReference><g:TerminationTime>{TIME}</g:TerminationTime>"
    f"<g:CurrentTime>{TIME}</g:CurrentTime></g:AddResponse>",
    "a duration": add("oasis", end="PT20M"),
    "RPDoc": f'<g:Content xmlns:g="{FINAL}sg-2"><g:RPDoc><x/></g:RPDoc><y/></g:Content>',
    "a lifetime": f'<l:SetTerminationTime xmlns:l="{FINAL}rl-2"><l:RequestedLifetimeDuration>PT1M'
    "</l:RequestedLifetimeDuration></l:SetTerminationTime>",
    "GetResourcePropertyDocument": wrapped("oasis", "GetResourcePropertyDocument", ""),
    "ResourceUnknownFault": fault("oasis", f"{FINAL}r-2", "ResourceUnknownFault"),
    "a cause": fault(
        "oasis",
        f"{FINAL}sg-2",
        "AddRefusedFault",
        '<b:FaultCause><c:Cause xmlns:c="urn:mds-aggregator:fault">'
        f"<b:Timestamp>{TIME}</b:Timestamp></c:Cause></b:FaultCause>",
    ),
}
VALID = [
    pytest.param(dialect, text, id=f"{dialect} {name}")
    for dialect, only in (("gt4", GT4_ONLY), ("oasis", OASIS_ONLY))
    for name, text in {**spoken(dialect), **only}.items()
]
INVALID = [
    pytest.param("gt4", add("gt4", member=""), id="gt4 Add without an address"),
    pytest.param("gt4", add("gt4", member=EPR5), id="gt4 Add with the final reference"),
    pytest.param("gt4", add("gt4", end="PT20M"), id="gt4 Add with a duration"),
    pytest.param("gt4", add("gt4", end="tomorrow"), id="gt4 Add with a word for a time"),
    pytest.param("oasis", add("oasis", member=EPR4), id="oasis Add with the draft's reference"),
    pytest.param("oasis", add("oasis", end="tomorrow"), id="oasis Add with a word for a time"),
    pytest.param(
        "oasis",
        OASIS_ONLY["RPDoc"].replace("<x/>", ""),
        id="oasis RPDoc without a document",
    ),
    pytest.param(
        "gt4",
        entry("gt4").replace("</a:AggregatorConfig>", "</a:AggregatorConfig><x/>"),
        id="gt4 a stranger in AggregatorContent",
    ),
    pytest.param(
        "oasis",
        entry("oasis").replace("<h:consecutiveFailures>3<", "<h:consecutiveFailures>many<"),
        id="health with a word for a number",
    ),
    pytest.param(
        "gt4",
        fault("gt4", WSSG, "AddRefusedFault").replace("b:Timestamp", "b:When"),
        id="gt4 fault without a Timestamp",
    ),
    pytest.param(
        "oasis",
        fault("oasis", f"{FINAL}rl-2", "ResourceUnknownFault"),
        id="oasis ResourceUnknownFault in rl-2",
    ),
]


@functools.cache
def whole(dialect: str) -> etree.XMLSchema:
    """All schemas of a dialect, and those of both, as one."""
    root = etree.Element(f"{XSD}schema")
    for name in names():
        if name.startswith(f"{dialect}/") or "/" not in name:
            path = files("aggregator.schemas").joinpath(name)
            namespace = etree.fromstring(path.read_bytes()).get("targetNamespace")
            etree.SubElement(root, REFERENCES[0], namespace=namespace, schemaLocation=str(path))
    return etree.XMLSchema(root)


def test_the_table_holds_both_dialects() -> None:
    assert {"metrics.xsd", "health.xsd", "oasis/sg-2.xsd", "gt4/WS-ServiceGroup.xsd"} < set(names())
    assert len(names()) == 25
    assert all(schema(name) for name in names())


@pytest.mark.parametrize(
    "path", ["", "oasis", "oasis/", "/oasis/sg-2.xsd", "oasis/../oasis/sg-2.xsd", "__init__.py"]
)
def test_nothing_else_is_served(path: str) -> None:
    assert schema(path) is None


@pytest.mark.parametrize("name", names())
def test_compiles(name: str) -> None:
    path = str(files("aggregator.schemas").joinpath(name))

    etree.XMLSchema(etree.parse(path))
    compiled = xmlschema.XMLSchema(path, allow="local")
    assert compiled.target_namespace == etree.parse(path).getroot().get("targetNamespace")


@pytest.mark.parametrize("name", names())
def test_refers_only_to_schemas_of_the_table(name: str) -> None:
    for reference in etree.fromstring(schema(name) or b"").iter(*REFERENCES):
        location = reference.get("schemaLocation")
        # gSOAP reads a location beside the document rightly only when it begins so.
        assert location.startswith("../")
        found = schema(urljoin(f"http://host/{name}", location).removeprefix("http://host/"))
        assert found is not None, location
        assert etree.fromstring(found).get("targetNamespace") == reference.get("namespace")


@pytest.mark.parametrize(("dialect", "text"), VALID)
def test_takes_what_is_right(dialect: str, text: str) -> None:
    whole(dialect).assertValid(etree.fromstring(text))


@pytest.mark.parametrize(("dialect", "text"), INVALID)
def test_refuses_what_is_wrong(dialect: str, text: str) -> None:
    assert not whole(dialect).validate(etree.fromstring(text))
