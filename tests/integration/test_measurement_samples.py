"""Every request of perfSONAR-PS's samples against its data, beside the replies that it got then.

Where the replies of the samples show less than is there, or something else, it is told at the test:
the samples are of several versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from aggregator.measurement import perfSONARBUOY
from aggregator.measurement.answering import Endpoint
from aggregator.measurement.building import FromDatabase
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.origins import Databases
from aggregator.store.measured_values import MeasuredDatabase
from aggregator.wire.nmwg_names import NMWG
from tests.measured import endpoint, message, metadata, pair, reply
from tests.measured_kit import KINDS, laid
from tests.measured_samples import bare, complaints, facts, fill, request, response, samples

Element = etree._Element
DATUM = "{*}data/{*}datum"


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    samples()
    with ExitStack() as stack:
        yield _served(stack, request.param, tmp_path_factory.mktemp("measured"))


def _served(stack: ExitStack, kind: str, folder: Path) -> Endpoint:
    databases: dict[str, MeasuredDatabase] = {}
    for layout in ("bwctl", "owamp"):
        (folder / layout).mkdir()
        database = stack.enter_context(laid(kind, layout, folder / layout))
        fill(database)
        databases[layout] = database.opened()
    archive = perfSONARBUOY(
        FileStore(folder / "store.xml"),
        {"mysql": Databases(databases)},
        tests=lambda: _tests(databases),
    )
    archive.createStorage()
    return endpoint(archive)


def _tests(databases: Mapping[str, MeasuredDatabase]) -> Iterator[FromDatabase]:
    for name, one in databases.items():
        for test in one.tests():
            yield FromDatabase(test, "mysql", name)


def answer(served: Endpoint, name: str) -> Element:
    return reply(served.answer(request(name)))


def keyed(served: Endpoint, name: str, *, of: str) -> Element:
    """The answer to a request by key: the sample's own is of a store of those days."""
    key = next(one.text for one in answer(served, of).iter("{*}parameter") if _is_key(one))
    text = request(name).decode()
    old = next(one.text for one in _live(text).iter("{*}parameter") if _is_key(one))
    return reply(served.answer(text.replace(str(old), str(key)).encode()))


def _live(text: str) -> Element:
    return etree.fromstring(text.encode())


def _is_key(parameter: Element) -> bool:
    return parameter.get("name") == "maKey"


def in_order(told: list[Any]) -> list[Any]:
    """Pairs of metadata and data by what they say: in which order they come is the store's."""
    pairs = [(told[at], told[at + 1]) for at in range(0, len(told), 2)]
    return sorted(pairs, key=repr)


def sorted_parameters(told: list[Any]) -> list[Any]:
    """The same with the parameters of a metadata in one order."""
    return [
        (tag, attributes, text, sorted(inner, key=repr) if tag.endswith("parameters") else inner)
        if not inner or tag.endswith("parameters")
        else (tag, attributes, text, sorted_parameters(inner))
        for tag, attributes, text, inner in told
    ]


def same(found: Element, expected: Element) -> None:
    assert found.get("type") == expected.get("type")
    assert in_order(sorted_parameters(facts(found))) == in_order(sorted_parameters(facts(expected)))


def test_echo(served: Endpoint) -> None:
    expected = etree.fromstring(request("EchoResponse"))
    assert facts(answer(served, "EchoRequest")) == facts(expected)


@pytest.mark.parametrize(
    "name",
    ["MetadataKeyRequest-bwctl-1", "MetadataKeyRequest-bwctl-2", "MetadataKeyRequest-owamp-1"],
)
def test_keys(served: Endpoint, name: str) -> None:
    same(answer(served, name), response(f"{name.replace('Request', 'Response')}.ok"))


def test_keys_of_a_range(served: Endpoint) -> None:
    name = "MetadataKeyRequest-owamp-2"
    same(answer(served, name), response("MetadataKeyResponse-owamp-2.ok"))


@pytest.mark.parametrize("tool", ["bwctl", "owamp"])
def test_a_key_that_is_known(served: Endpoint, tool: str) -> None:
    found = keyed(served, f"MetadataKeyRequest-{tool}-3", of=f"MetadataKeyRequest-{tool}-1")
    same(found, response(f"MetadataKeyResponse-{tool}-3.ok"))


@pytest.mark.parametrize("tool", ["bwctl", "owamp"])
def test_a_key_of_another_store(served: Endpoint, tool: str) -> None:
    found = answer(served, f"MetadataKeyRequest-{tool}-3")
    same(found, response(f"MetadataKeyResponse-{tool}-3.error"))


def test_throughput_of_a_range(served: Endpoint) -> None:
    same(answer(served, "SetupDataRequest-bwctl-2"), response("SetupDataResponse-bwctl-2.ok"))


def test_throughput_by_key(served: Endpoint) -> None:
    found = keyed(served, "SetupDataRequest-bwctl-3", of="MetadataKeyRequest-bwctl-2")
    same(found, response("SetupDataResponse-bwctl-3.ok"))


def test_throughput_by_a_key_of_another_store(served: Endpoint) -> None:
    # The sample says error.ma.storage; the source, and the samples of delays, what is told here.
    found = answer(served, "SetupDataRequest-bwctl-3")
    assert facts(found)[0][3][0][2] == "error.ma.storage_result"
    same(found, response("SetupDataResponse-owamp-3.error"))


def test_delays(served: Endpoint) -> None:
    same(answer(served, "SetupDataRequest-owamp-1"), response("SetupDataResponse-owamp-1.ok"))


def test_delays_of_a_range_overlap_it(served: Endpoint) -> None:
    found = answer(served, "SetupDataRequest-owamp-2")
    expected = response("SetupDataResponse-owamp-2.ok")
    # The sample shows the first of the three samples that overlap the range.
    rows, shown = found.findall(DATUM), expected.findall(DATUM)
    assert (len(rows), len(shown)) == (3, 1)
    assert facts(found)[0] == facts(expected)[0] or sorted_parameters(
        facts(found)[:1]
    ) == sorted_parameters(facts(expected)[:1])
    assert dict(rows[0].attrib) == dict(shown[0].attrib)


def test_delays_by_key(served: Endpoint) -> None:
    found = keyed(served, "SetupDataRequest-owamp-3", of="MetadataKeyRequest-owamp-1")
    same(found, response("SetupDataResponse-owamp-3.ok"))


def test_histograms(served: Endpoint) -> None:
    found = answer(served, "SetupDataRequest-owamp-6")
    same(found, response("SetupDataResponse-owamp-6.ok"))
    assert len(found.findall(DATUM)) == 14


@pytest.mark.parametrize(
    "name",
    [
        *("MetadataKeyRequest-bwctl-1", "MetadataKeyRequest-owamp-1"),
        *("SetupDataRequest-bwctl-2", "SetupDataRequest-owamp-1", "SetupDataRequest-owamp-2"),
    ],
)
def test_metadata_that_are_unknown(served: Endpoint, name: str) -> None:
    body = request(name).replace(b'value="64.57.16', b'value="192.0.2')
    expected = response(f"{name.replace('Request', 'Response')}.error")
    same(reply(served.answer(body)), expected)


@pytest.mark.parametrize("name", ["bwctl-2", "owamp-1", "owamp-2"])
def test_a_range_without_rows(served: Endpoint, name: str) -> None:
    body = request(f"SetupDataRequest-{name}")
    if b"startTime" not in _text(body):
        body = body.replace(
            b"</nmwg:eventType>\n  </nmwg:metadata>",
            b'</nmwg:eventType><nmwg:parameters id="t"><nmwg:parameter name="startTime">'
            b"1900000000</nmwg:parameter></nmwg:parameters></nmwg:metadata>",
        )
    else:
        live = _text(body)
        for old in (b"1282730000", b"1282746000"):
            live = live.replace(old, b"1900000000")
        for old in (b"1282747000", b"1282746300"):
            live = live.replace(old, b"1900000001")
        body = live
    same(reply(served.answer(body)), response(f"SetupDataResponse-{name}.empty"))


def _text(body: bytes) -> bytes:
    """The message without the comments around it, which hold others."""
    return etree.tostring(etree.fromstring(body))


FORMS = {
    "EchoResponse": ("EchoRequest",),
    "MetadataKeyResponse-bwctl": ("MetadataKeyRequest-bwctl-1", "MetadataKeyRequest-bwctl-2"),
    "MetadataKeyResponse-owamp": ("MetadataKeyRequest-owamp-1", "MetadataKeyRequest-owamp-2"),
    "SetupDataResponse-bwctl": ("SetupDataRequest-bwctl-2", "SetupDataRequest-bwctl-3"),
    # Not owamp-6: the form is older than histograms.
    "SetupDataResponse-owamp": (
        *("SetupDataRequest-owamp-1", "SetupDataRequest-owamp-2", "SetupDataRequest-owamp-3"),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_replies_have_the_published_form(served: Endpoint, form: str, tmp_path: Path) -> None:
    replies = {name: bare(answer(served, name)) for name in FORMS[form]}
    if form.startswith(("Metadata", "Setup")):
        tool = form.rpartition("-")[2]
        first = f"MetadataKeyRequest-{tool}-1"
        kind = "MetadataKeyRequest" if form.startswith("Metadata") else "SetupDataRequest"
        replies["keyed"] = bare(keyed(served, f"{kind}-{tool}-3", of=first))
    assert complaints(form, replies, tmp_path) == ""


def test_an_address_is_not_a_prefix(served: Endpoint) -> None:
    """Upstream matched 64.57.16.130 for 64.57.16.13."""
    inner = metadata(subject=pair("64.57.16.13", "64.57.17.82"))
    body = message(inner + '<nmwg:data id="d" metadataIdRef="m1"/>')
    [told] = reply(served.answer(body)).findall(f"{{{NMWG}}}metadata/{{{NMWG}}}eventType")
    assert told.text == "error.ma.storage"
