"""Registration files: what MDS4 wrote is taken unchanged, what can't work is named by block."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aggregator.registrant.block import Defaults, RegistrationParameters
from aggregator.registrant.registration_file import RegistrationFileError, load_registrations
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import parse
from aggregator.wire.qnames import read_qname
from tests.conftest import SHARED

SAMPLES = Path(__file__).parents[1] / "samples" / "registration"
GOOD = sorted(SAMPLES.glob("*.good.xml"))
BAD = sorted(SAMPLES.glob("*.bad.xml"))
GROUP = "http://127.0.0.1:8080/wsrf/services/DefaultIndexService"

#: Files that MDS4 shipped or documented, and how many registrations each asks for.
ORIGINAL = {
    "schemas/gt4/etc/aggregator/example-aggregator-registration.xml": 3,
    "schemas/gt4/etc/bigindex/simple-reg.xml": 1,
    "samples/mds4-docs/example-archive-registration.xml": 1,
    "samples/mds4-docs/fortune-provider-registration.xml": 1,
    "samples/mds4-docs/trigger-registration-GT4.1.3-howto.xml": 1,
}


def load(name: str) -> tuple[RegistrationParameters, ...]:
    return load_registrations(str(SAMPLES / f"{name}.good.xml")).registrations


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.name)
def test_good_file_is_taken(file: Path) -> None:
    assert load_registrations(str(file)).registrations


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.name)
def test_bad_file_is_refused_with_all_its_problems(file: Path) -> None:
    wanted = re.findall(r"<!-- error: (.*) -->", file.read_text())
    assert wanted
    with pytest.raises(RegistrationFileError) as caught:
        load_registrations(str(file))
    assert list(caught.value.problems) == [f"{file}: {error}" for error in wanted]


@pytest.mark.parametrize("name", ORIGINAL)
def test_the_files_of_mds4_are_taken_unchanged(name: str) -> None:
    file = SHARED / name
    if not file.exists():
        pytest.skip(f"{file} is not on this machine")
    found = load_registrations(str(file)).registrations
    assert len(found) == ORIGINAL[name]
    assert {one.dialect.name for one in found} == {"gt4"}
    for one in found:
        assert "\n" not in one.member.address + one.group.address
        config = parse(one.content).find(ns.clark(ns.AGG, "AggregatorConfig"))
        assert config is not None
        for qname in config.iter("{*}ResourcePropertyName", "{*}ResourcePropertyNames"):
            assert read_qname(qname).startswith("{http://")


def test_a_block_means_what_it_says() -> None:
    first, second, third = load("every_source")
    assert first.member.address == "https://site.example.org:8443/wsrf/services/JobFactoryService"
    assert b"Condor" in first.member.properties[0]
    assert first.interval == 600
    assert first.initial_termination is None
    assert first.position == 1
    assert second.member.address == "https://site.example.org:8443/wsrf/services/HostService"
    assert second.interval == 300
    assert "index.example.org" in second.group.address
    assert "other.example.org" in third.group.address
    assert third.initial_termination == 2_051_222_400_000_000
    assert {one.dialect.name for one in (first, second, third)} == {"gt4"}


def test_content_keeps_every_namespace_that_was_in_scope() -> None:
    content = parse(load("every_source")[0].content)
    name = next(content.iter(ns.clark(ns.AGG, "ResourcePropertyName")))
    assert read_qname(name) == "{http://mds.globus.org/glue/ce/1.1}GLUECE"
    assert content.get(ns.clark(ns.XSI, "type")) == "agg:AggregatorContent"
    assert content.nsmap["agg"] == ns.AGG


def test_what_has_no_effect_is_noted_by_name() -> None:
    notes = load_registrations(str(SAMPLES / "every_source.good.xml")).notes
    assert [note.partition(" ")[0] for note in notes] == [
        "defaultSecurityDecriptorFile",
        "SecurityDescriptorFile",
    ]


def test_ws_addressing_tells_the_dialect() -> None:
    (registration,) = load("final_standard")
    assert registration.dialect.name == "oasis"
    assert registration.interval == 30
    assert b"http://example.org/key" in registration.member.parameters[0]


def write(folder: Path, *, group_wsa: str, member_wsa: str, group: bool = True) -> str:
    named = f"<ServiceGroupEPR><Address xmlns='{group_wsa}'>http://g/</Address></ServiceGroupEPR>"
    file = folder / "registrations.xml"
    file.write_text(
        f"<ServiceGroupRegistrationParameters xmlns='{ns.SGC}'>{named if group else ''}"
        f"<RegistrantEPR><Address xmlns='{member_wsa}'>http://m/</Address></RegistrantEPR>"
        "<RefreshIntervalSecs>9</RefreshIntervalSecs><Content/>"
        "</ServiceGroupRegistrationParameters>"
    )
    return str(file)


def test_the_group_is_whom_we_speak_to(tmp_path: Path) -> None:
    file = write(tmp_path, group_wsa=ns.WSA_2004_03, member_wsa=ns.WSA_2005_08)
    assert load_registrations(file).registrations[0].dialect.name == "gt4"
    file = write(tmp_path, group_wsa=ns.WSA_2005_08, member_wsa=ns.WSA_2004_03)
    assert load_registrations(file).registrations[0].dialect.name == "oasis"


def test_a_bare_address_stands_in_and_the_member_tells_the_dialect(tmp_path: Path) -> None:
    file = write(tmp_path, group_wsa="", member_wsa=ns.WSA_2004_03, group=False)
    fallback = Defaults(group=EndpointReference(GROUP), group_is_address=True)
    (registration,) = load_registrations(file, fallback=fallback).registrations
    assert registration.group.address == GROUP
    assert registration.dialect.name == "gt4"


def test_an_epr_file_stands_in_and_tells_the_dialect(tmp_path: Path) -> None:
    file = write(tmp_path, group_wsa="", member_wsa=ns.WSA_2004_03, group=False)
    fallback = Defaults(group=EndpointReference(GROUP, wsa=ns.WSA_2005_08))
    (registration,) = load_registrations(file, fallback=fallback).registrations
    assert registration.dialect.name == "oasis"


@pytest.mark.parametrize("name", ["every_source", "final_standard", "one_block"])
def test_the_file_wins_over_the_command_line(name: str) -> None:
    fallback = Defaults(group=EndpointReference("http://elsewhere/"), group_is_address=True)
    found = load_registrations(str(SAMPLES / f"{name}.good.xml"), fallback=fallback)
    assert all(one.group.address != "http://elsewhere/" for one in found.registrations)


def test_ten_thousand_registrations_fit_in_one_file(tmp_path: Path) -> None:
    text = (SAMPLES / "every_source.good.xml").read_text()
    begin = text.index("  <ServiceGroupRegistrationParameters>")
    end = text.index("</ServiceGroupRegistrations>")
    file = tmp_path / "many.xml"
    file.write_text(text[:begin] + text[begin:end] * 3334 + text[end:])
    assert len(load_registrations(str(file)).registrations) == 10_002


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(RegistrationFileError, match=r"nowhere\.xml: can't be read: No such file"):
        load_registrations("nowhere.xml")


def test_the_example_of_the_documentation_is_taken(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "registration-file.md"
    (example,) = re.findall(r"```xml\n(.*?)```", page.read_text(), re.DOTALL)
    file = tmp_path / "registrations.xml"
    file.write_text(example)
    assert len(load_registrations(str(file)).registrations) == 2
