"""A member as a process: every operation in every dialect and SOAP version, and its faults."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from tests import notified, soap
from tests.integration.member_kit import (
    GLUE,
    SITE,
    RunningMember,
    ask,
    check_schemas,
    member,
)
from tests.shared import complaint

META = "{http://mds.globus.org/metadata/2005/02}ServiceMetaDataInfo"
DOCUMENT = "{urn:mds-aggregator:member}HostRP"
CONFIG = f"""
[namespaces]
site = "{SITE}"
[[property]]
name = "glue:GLUECE"
host = "GLUECE"
period = 30
[[property]]
name = "glue:Host"
host = "Host"
[[property]]
name = "site:MOTD"
file = "motd.xml"
"""
MOTD = f'<?xml version="1.0"?><s:MOTD xmlns:s="{SITE}" xmlns:q="urn:q" kind="q:a">1 &lt; 2</s:MOTD>'

EACH = pytest.mark.parametrize(
    ("family", "version"), [*itertools.product(("gt4", "oasis"), (soap.SOAP11, soap.SOAP12))]
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMember]:
    """A member that publishes its host and a file."""
    folder = tmp_path_factory.mktemp("member")
    (folder / "motd.xml").write_text(MOTD)
    with member(folder, CONFIG) as running:
        yield running


def operation(name: str, content: str = "", *, family: soap.Family, scope: str = "") -> str:
    """The Body's child of a request."""
    return f'<rp:{name} xmlns:rp="{soap.NS[family]["rp"]}" {scope}>{content}</rp:{name}>'


@EACH
def test_one_property_is_read(host: RunningMember, family: soap.Family, version: str) -> None:
    scope = f'xmlns:g="{GLUE}"'
    body = operation("GetResourceProperty", "\n g:Host ", family=family, scope=scope)
    answer = soap.call(host.url, body, soap=version)
    assert answer.status == 200
    assert etree.fromstring(answer.content).tag == f"{{{version}}}Envelope"
    kind = "text/xml" if version == soap.SOAP11 else "application/soap+xml"
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert answer.body.tag == f"{{{soap.NS[family]['rp']}}}GetResourcePropertyResponse"
    (found,) = answer.body
    assert found.tag == f"{{{GLUE}}}Host"
    assert int(found.find(f"{{{GLUE}}}MainMemory").get(f"{{{GLUE}}}RAMSize")) > 0
    assert int(found.find(f"{{{GLUE}}}Architecture").get(f"{{{GLUE}}}SMPSize")) > 0
    assert found.find(f"{{{GLUE}}}ProcessorLoad") is not None
    assert found.find(f"{{{GLUE}}}FileSystem") is not None
    check_schemas(answer.body)


@EACH
def test_several_properties_are_read(
    host: RunningMember, family: soap.Family, version: str
) -> None:
    ns = soap.NS[family]
    names = ("s:MOTD", "rl:TerminationTime", "m:ServiceMetaDataInfo", "s:MOTD", "rl:CurrentTime")
    asked = "".join(f"<rp:ResourceProperty>{name}</rp:ResourceProperty>" for name in names)
    scope = f'xmlns:s="{SITE}" xmlns:rl="{ns["rl"]}" xmlns:m="{META[1:-20]}"'
    body = operation("GetMultipleResourceProperties", asked, family=family, scope=scope)
    answer = soap.call(host.url, body, soap=version)
    motd, ending, meta, time = answer.body
    assert (motd.tag, motd.text, motd.nsmap["q"]) == (f"{{{SITE}}}MOTD", "1 < 2", "urn:q")
    assert ending.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"
    assert [etree.QName(child).localname for child in meta] == [
        "startTime",
        "version",
        "serviceTypeName",
    ]
    assert meta[2].text == "HostService"
    assert time.tag == f"{{{ns['rl']}}}CurrentTime"
    assert datetime.now(UTC) - datetime.fromisoformat(time.text or "") < timedelta(seconds=20)
    check_schemas(answer.body)


@EACH
def test_the_document_is_read(host: RunningMember, family: soap.Family, version: str) -> None:
    answer = soap.call(
        host.url, operation("GetResourcePropertyDocument", family=family), soap=version
    )
    (document,) = answer.body
    rl = soap.NS[family]["rl"]
    topics = [*["Topic"] * 3, "FixedTopicSet", *["TopicExpressionDialects"] * 3]
    if family == "oasis":
        topics = [*["TopicExpression"] * 3, "FixedTopicSet", *["TopicExpressionDialect"] * 4]
    assert document.tag == DOCUMENT
    assert [child.tag for child in document] == [
        f"{{{GLUE}}}GLUECE",
        f"{{{GLUE}}}Host",
        f"{{{SITE}}}MOTD",
        META,
        f"{{{rl}}}CurrentTime",
        f"{{{rl}}}TerminationTime",
        *(f"{{{notified.NT[family]}}}{name}" for name in topics),
        "{urn:mds-aggregator:member}Producers",
    ]
    host_path = "/".join(f"{{{GLUE}}}{name}" for name in ("Cluster", "SubCluster", "Host"))
    assert document[0].find(host_path) is not None
    if family == "oasis":
        check_schemas(answer.body)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("/", f"<{DOCUMENT}>"),
        ("//s:MOTD", f"<{{{SITE}}}MOTD>"),
        ("//*[local-name()='MOTD'] | //s:MOTD/@kind", f"<{{{SITE}}}MOTD>q:a\n"),
        ("//s:MOTD/text()", "1 < 2"),
        ("string(//s:MOTD)", "1 < 2"),
        ("count(//g:Host[@g:Name])", "2"),
        ("count(//g:Host) div 3 > 0.6", "true"),
        ("1 div 0", "Infinity"),
        ("//nothing", ""),
        ("/ | /*", f"<{DOCUMENT}>"),
    ],
)
@EACH
def test_the_document_is_queried(
    host: RunningMember, family: soap.Family, version: str, expression: str, wanted: str
) -> None:
    text = expression.replace("<", "&lt;")
    query = (
        f'<rp:QueryExpression Dialect="{soap.XPATH}" xmlns:g="{GLUE}" xmlns:s="{SITE}">\n'
        f"{text}\n</rp:QueryExpression>"
    )
    body = operation("QueryResourceProperties", query, family=family)
    answer = soap.call(host.url, body, soap=version)
    assert answer.status == 200, answer.content
    found = answer.body
    got = (found.text or "") + "".join(f"<{child.tag}>{child.tail or ''}" for child in found)
    assert got == wanted


def test_addressing_is_answered_in_its_own_version(host: RunningMember) -> None:
    header = (
        '<a:Action xmlns:a="{0}">{1}</a:Action><a:MessageID xmlns:a="{0}">urn:x:1</a:MessageID>'
    )
    request = "http://docs.oasis-open.org/wsrf/rpw-2/GetResourceProperty/GetResourcePropertyRequest"
    lite = '"http://docs.oasis-open.org/wsrf/rp-2#GetResourceProperty"'
    draft = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties/GetResourceProperty"
    for family, asked, wanted in (
        ("oasis", request, request.replace("Request", "Response")),
        ("oasis", lite, lite.strip('"') + "Response"),
        ("gt4", draft, draft + "Response"),
    ):
        wsa = soap.NS[family]["wsa"]
        body = operation("GetResourceProperty", "g:Host", family=family, scope=f'xmlns:g="{GLUE}"')
        answer = soap.call(host.url, body, header=header.format(wsa, asked))
        head = etree.fromstring(answer.content)[0]
        told = {etree.QName(line).localname: line.text for line in head}
        assert all(etree.QName(line).namespace == wsa for line in head)
        assert told["Action"] == wanted
        assert told["RelatesTo"] == "urn:x:1"
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", told["MessageID"] or "")


def test_the_path_may_hold_an_instance_and_headers_a_key(host: RunningMember) -> None:
    body = operation("GetResourceProperty", "s:MOTD", family="gt4", scope=f'xmlns:s="{SITE}"')
    key = f'<k:SomeKey xmlns:k="urn:k" s:mustUnderstand="0" xmlns:s="{soap.SOAP11}">7</k:SomeKey>'
    answer = soap.call(f"{host.url}/node-17/x", body, header=key)
    assert answer.body[0].tag == f"{{{SITE}}}MOTD"
    assert soap.call(f"{host.url}s", body).status == 404


XPATH_QUERY = '<rp:QueryExpression Dialect="{0}">{1}</rp:QueryExpression>'
FAULTS = [
    ("GetResourceProperty", "nobody:Knows", "InvalidResourcePropertyQNameFault", "not declared"),
    ("GetResourceProperty", "Nothing", "InvalidResourcePropertyQNameFault", "there are"),
    ("GetResourceProperty", "a b", "InvalidResourcePropertyQNameFault", "no QName"),
    ("GetMultipleResourceProperties", "", "BaseFault", "no ResourceProperty"),
    ("QueryResourceProperties", "", "BaseFault", "no QueryExpression"),
    (
        "QueryResourceProperties",
        XPATH_QUERY.format("urn:sql", "/"),
        "UnknownQueryExpressionDialectFault",
        "urn:sql",
    ),
    (
        "QueryResourceProperties",
        XPATH_QUERY.format(soap.XPATH, "//*["),
        "InvalidQueryExpressionFault",
        "XPath 1.0",
    ),
    (
        "QueryResourceProperties",
        XPATH_QUERY.format(soap.XPATH, "no:such(/)"),
        "InvalidQueryExpressionFault",
        "no:such()",
    ),
    ("SetResourceProperties", "", "BaseFault", "does not offer"),
]


@pytest.mark.parametrize("case", FAULTS)
@EACH
def test_faults_are_typed_and_tell_what_is_wrong(
    host: RunningMember, family: soap.Family, version: str, case: tuple[str, str, str, str]
) -> None:
    name, content, fault, words = case
    answer = soap.call(host.url, operation(name, content, family=family), soap=version)
    assert answer.status == (500 if version == soap.SOAP11 else 400)
    kind, description = answer.fault
    assert kind == fault
    assert words in description
    check_schemas(answer.body)


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_operations_of_other_services_are_refused_by_name(
    host: RunningMember, family: soap.Family
) -> None:
    drafts = "http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd"
    wsn = drafts if family == "gt4" else "http://docs.oasis-open.org/wsn/b-2"
    for name, namespace in (
        ("PauseSubscription", wsn),
        ("Add", soap.NS[family]["sg"]),
        ("Destroy", soap.NS[family]["rl"]),
    ):
        answer = soap.call(host.url, f'<x:{name} xmlns:x="{namespace}"/>')
        assert answer.status == 500
        assert answer.fault[0] == "BaseFault"
        assert f"{{{namespace}}}{name}" in answer.fault[1]
        assert "it offers GetResourceProperty" in answer.fault[1]
        assert soap.NS[family]["bf"].encode() in answer.content


def test_headers_that_must_be_understood_are(host: RunningMember) -> None:
    body = operation("GetResourcePropertyDocument", family="oasis")
    header = f'<x:Strange xmlns:x="urn:x" s:mustUnderstand="1" xmlns:s="{soap.SOAP11}"/>'
    answer = soap.call(host.url, body, header=header)
    assert answer.status == 500
    assert answer.body.findtext("faultcode") == "soapenv:MustUnderstand"


@pytest.mark.parametrize("dialect", ["oasis", "gt4"])
def test_zeep_loads_the_wsdl_and_calls(host: RunningMember, dialect: str) -> None:
    script = """
import sys, zeep
client = zeep.Client(sys.argv[1])
from lxml import etree
for port in ("ResourcePropertyProviderPort", "ResourcePropertyProviderPort12"):
    service = client.bind("ResourcePropertyProviderService", port)
    reply = service.GetResourceProperty(etree.QName(sys.argv[2], "MOTD"))
    found = reply if isinstance(reply, list) else reply._value_1
    print(found[0].tag, found[0].text)
    try:
        service.GetResourceProperty(etree.QName(sys.argv[2], "Nothing"))
    except zeep.exceptions.Fault as fault:
        print("there is no property" in fault.message)
"""
    command = [sys.executable, "-W", "ignore", "-c", script, f"{host.url}?wsdl={dialect}", SITE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{{{SITE}}}MOTD 1 < 2\nTrue\n" * 2, done.stderr


def test_what_is_asked_of_one_dialect_is_known_in_the_other(host: RunningMember) -> None:
    for family, other in (("gt4", "oasis"), ("oasis", "gt4")):
        name = f"{{{soap.NS[other]['rl']}}}CurrentTime"
        assert ask(host, name, family=family).body[0].tag == name


def test_the_document_follows_the_published_schemas(host: RunningMember) -> None:
    """So do all replies and faults above; here it is said where the schemas are missing."""
    answer = soap.call(host.url, operation("GetResourcePropertyDocument", family="oasis"))
    body = answer.body
    assert complaint(body) == ""
    body.tag = f"{body.tag}s"
    assert "no published schema declares" in complaint(body)
