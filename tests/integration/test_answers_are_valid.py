"""Every reply and every fault follows the schemas: those of the specifications, and our own.

One kind of answer has none to follow: a query whose result is a number, a string or text, which
all toolkits send as bare text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import etree

from tests import soap
from tests.clients.own_schemas import dialect_schema
from tests.databases import DATABASES, write_locked
from tests.integration import provocations
from tests.integration.provocations import FAULTS, OASIS_REPLIES, REPLIES, Stage
from tests.integration.spellings import VERSIONS
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.shared import published_schemas
from tests.soap import SOAP11, SOAP12, Answer, Family
from tests.waiting import until

Follows = Callable[[Family, Answer], None]
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")


@pytest.fixture(scope="module", params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The database that the service runs on."""
    with with_tables(request.param, tmp_path_factory.mktemp("database")) as found:
        yield found


@pytest.fixture(scope="module")
def service(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    options = ["--database", url]
    with running_service(folder, config=provocations.CONFIG, options=options) as running:
        provocations.prepare(running)
        yield running


@pytest.fixture(params=FAMILIES)
def stage(request: pytest.FixtureRequest, service: RunningService) -> Stage:
    return provocations.stage(service, request.param)


@pytest.fixture(params=["published", "own"])
def follows(request: pytest.FixtureRequest) -> Follows:
    """Holds an answer against the schemas; of a fault its detail."""
    if request.param == "own":
        return _follows_ours
    published = published_schemas()
    return lambda family, answer: published.validate(answer.body)


def _follows_ours(family: Family, answer: Answer) -> None:
    element = answer.body
    if etree.QName(element).localname == "Fault":
        element = _detail(answer)
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    dialect_schema(family).assertValid(alone)


def _detail(answer: Answer) -> etree._Element:
    (detail,) = (c for c in answer.body if etree.QName(c).localname.lower() == "detail")
    (element,) = detail
    return element


@pytest.mark.parametrize("name", REPLIES)
def test_replies_are_valid(stage: Stage, name: str, follows: Follows) -> None:
    answer = REPLIES[name](stage)
    assert answer.status == 200, answer.content
    follows(stage.family, answer)


@pytest.mark.parametrize("name", OASIS_REPLIES)
def test_replies_of_the_final_standard_alone_are_valid(
    service: RunningService, name: str, follows: Follows
) -> None:
    answer = OASIS_REPLIES[name](provocations.stage(service, "oasis"))
    assert answer.status == 200, answer.content
    follows("oasis", answer)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_typed_and_valid(stage: Stage, name: str, follows: Follows) -> None:
    expected, provoke = FAULTS[name]
    answer = provoke(stage)
    assert answer.status == 500
    assert answer.fault[0] == expected, answer.content
    assert answer.fault[1], "a fault without a word"
    follows(stage.family, answer)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_the_same_in_soap_12(service: RunningService, name: str, family: Family) -> None:
    expected, provoke = FAULTS[name]
    answer = provoke(provocations.stage(service, family, SOAP12))
    assert answer.status == 400
    assert [etree.QName(child).localname for child in answer.body] == ["Code", "Reason", "Detail"]
    assert answer.body.findtext("{*}Code/{*}Value") == "soapenv:Sender"
    assert answer.fault[0] == expected
    _follows_ours(family, answer)


@pytest.mark.parametrize("content", [b"", b"hello", b"<!DOCTYPE a><a/>", b"<a>" * 300])
def test_what_can_not_be_read_gets_a_valid_fault_too(
    service: RunningService, content: bytes, follows: Follows
) -> None:
    answer = soap.post(service.group, content)
    assert answer.status == 500
    assert answer.fault[0] == "BaseFault"
    follows("oasis", answer)


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_what_is_not_understood_has_no_detail_but_names_the_header(
    service: RunningService, version: str
) -> None:
    """SOAP forbids a detail for a fault that is about headers alone."""
    header = f'<x:Token xmlns:x="urn:x" xmlns:s="{version}" s:mustUnderstand="1"/>'
    answer = soap.call(service.group, soap.add_body("http://a/"), header=header, soap=version)
    assert answer.status == 500
    assert answer.body.find(".//{*}detail") is None
    assert answer.body.find(".//{*}Detail") is None
    assert "{urn:x}Token" in "".join(answer.body.itertext())
    told = etree.fromstring(answer.content).findall(f".//{{{SOAP12}}}NotUnderstood")
    assert [block.get("qname") for block in told] == (["h:Token"] if version == SOAP12 else [])


def test_an_envelope_of_another_version_is_told_which_are_read(service: RunningService) -> None:
    answer = soap.post(service.group, b'<e:Envelope xmlns:e="urn:soap"><e:Body/></e:Envelope>')
    assert answer.status == 500
    assert answer.body.findtext("faultcode") == "soapenv:VersionMismatch"
    known = etree.fromstring(answer.content).findall(f".//{{{SOAP12}}}SupportedEnvelope")
    spaces = [block.nsmap[(block.get("qname") or "").partition(":")[0]] for block in known]
    assert spaces == [SOAP12, SOAP11]


@pytest.fixture(scope="module")
def refused_by_the_store(service: RunningService, url: str) -> dict[Family, list[Answer]]:
    """What Adds in both versions of SOAP are answered while nothing can be written."""

    def add(family: Family, version: str) -> Answer:
        body = soap.add_body("http://127.0.0.1:1/m", family=family)
        return soap.call(f"{service.url}/wsrf/services/Hidden", body, soap=version)

    # At once, since each waits as long as the store may take.
    with ThreadPoolExecutor(4) as pool, write_locked(url):
        asked = {f: [pool.submit(add, f, v) for v in (SOAP11, SOAP12)] for f in FAMILIES}
        found = {family: [one.result() for one in asked[family]] for family in FAMILIES}
    until(lambda: add("oasis", SOAP11).status == 200, what="a store that takes Adds again")
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_a_store_that_is_away_is_a_valid_fault_that_says_when_to_come_back(
    refused_by_the_store: dict[Family, list[Answer]], follows: Follows, family: Family
) -> None:
    """Status 500, since some clients decode no fault of any other."""
    for answer in refused_by_the_store[family]:
        assert answer.status == 500
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.fault[0] == ("BaseFault" if family == "gt4" else "ResourceUnavailableFault")
        follows(family, answer)
