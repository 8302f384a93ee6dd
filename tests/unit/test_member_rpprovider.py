"""Resource property provider files of MDS4: read unchanged, and what is refused of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.config.errors import ConfigurationError
from aggregator.member.configuration import load_member
from aggregator.member.settings import Executable, File, SchedulerTransform, Stylesheet, Url
from tests.shared import SHARED

RPP = "http://mds.globus.org/rpprovider/2005/08"
PRODUCERS = "org.globus.mds.usefulrp.rpprovider.producers"
TRANSFORMS = "org.globus.mds.usefulrp.rpprovider.transforms"
STYLESHEET = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'


def rpprovider(*blocks: str, item: str = "configArray", name: str = "q:P") -> str:
    """An rpprovider file with one property."""
    return (
        f'<?xml version="1.0"?>\n<r:ResourcePropertyProviderConfigArray xmlns:r="{RPP}">'
        f'<r:{item}>\n<r:resourcePropertyName xmlns:q="urn:q"> {name} </r:resourcePropertyName>'
        f"{''.join(blocks)}</r:{item}></r:ResourcePropertyProviderConfigArray>"
    )


def written(folder: Path, text: str) -> Path:
    """The file that holds a text."""
    file = folder / "rp.xml"
    file.write_text(text)
    return file


def producer(name: str, *arguments: str, more: str = "") -> str:
    """A producer block."""
    told = "".join(f"<r:arguments>{argument}</r:arguments>" for argument in arguments)
    return (
        f"<r:resourcePropertyElementProducers><r:className> {name} </r:className>{told}{more}"
        "</r:resourcePropertyElementProducers>"
    )


@pytest.mark.parametrize("item", ["configArray", "resourcePropertyProviderConfiguration"])
def test_rpprovider_files_of_both_releases_are_read(
    tmp_path: Path, item: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLOBUS_LOCATION", raising=False)
    (tmp_path / "t.xsl").write_text(STYLESHEET)
    text = rpprovider(
        "<r:resourcePropertyImpl>a.b.SingleValueResourcePropertyProvider</r:resourcePropertyImpl>",
        producer(f"{PRODUCERS}.ExternalProcessElementProducer", "bin/x", "a b"),
        producer(
            f"{PRODUCERS}.FileElementProducer",
            "/etc/motd.xml",
            more=f"<r:period> 120 </r:period><r:transformClass>{TRANSFORMS}."
            "XSLTFileElementTransform</r:transformClass>"
            "<r:transformArguments>t.xsl</r:transformArguments>",
        ),
        producer(f"{PRODUCERS}.URLElementProducer", "http://example.org/x"),
        producer(
            f"{PRODUCERS}.SchedulerInfoElementProducer",
            "pbs",
            more=f"<r:transformClass>{TRANSFORMS}.GLUESchedulerElementTransform"
            "</r:transformClass><r:period>0</r:period>",
        ),
        item=item,
    )
    producers = load_member([written(tmp_path, text)]).producers
    assert [made.origin for made in producers] == [
        Executable((f"{tmp_path}/bin/x", "a b")),
        File(Path("/etc/motd.xml")),
        Url("http://example.org/x"),
        Executable((f"{tmp_path}/pbs",)),
    ]
    assert [made.period for made in producers] == [0.0, 120.0, 0.0, 0.0]
    assert {(made.name, made.first_failure, made.timeout) for made in producers} == {
        ("{urn:q}P", "cancel", 60.0)
    }
    assert isinstance(producers[1].transform, Stylesheet)
    assert isinstance(producers[3].transform, SchedulerTransform)


def test_a_toml_file_may_name_rpprovider_files(tmp_path: Path) -> None:
    written(tmp_path, rpprovider(producer(f"{PRODUCERS}.FileElementProducer", "/x")))
    file = tmp_path / "member.toml"
    file.write_text("[member]\nrpprovider = ['rp.xml']\n[[property]]\nname = 'x'\nhost = 'Host'\n")
    assert [made.name for made in load_member([file]).producers] == ["x", "{urn:q}P"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a/>", "rp.xml:1: the root element is a, not {"),
        ("<a", "rp.xml: the document is not well-formed"),
        ("<!DOCTYPE a><a/>", "DOCTYPE"),
        (rpprovider(item="other"), "rp.xml:2: other: expected one of configArray"),
        (rpprovider(name="p:P"), "rp.xml:3: resourcePropertyName: the prefix 'p' of 'p:P' is not"),
        (rpprovider(name="q:a b"), "is no QName"),
        (rpprovider("<r:what/>"), "what: expected one of resourcePropertyName"),
        (rpprovider("<what/>"), "what: expected one of resourcePropertyName"),
        (
            rpprovider("<r:resourcePropertyImpl>my.Own</r:resourcePropertyImpl>"),
            "'my.Own' is no resource property implementation that runs here",
        ),
        (
            rpprovider(producer("my.own.Producer", "x")),
            "className: 'my.own.Producer' is no element producer that runs here; there are "
            "ExternalProcessElementProducer, FileElementProducer",
        ),
        (
            rpprovider(producer("x.JVMInfoElementProducer")),
            "there is no Java virtual machine here",
        ),
        (rpprovider(producer("x.FileElementProducer")), "FileElementProducer needs an argument"),
        (rpprovider(producer("x.URLElementProducer", "ftp://x/")), "not an http or https address"),
        (
            rpprovider(producer("x.FileElementProducer", "x", more="<r:period>-1</r:period>")),
            "period: '-1' is not a whole number of seconds",
        ),
        (
            rpprovider(
                producer(
                    "x.FileElementProducer", "x", more="<r:transformClass>T</r:transformClass>"
                )
            ),
            "transformClass: 'T' is no transform that runs here",
        ),
        (
            rpprovider("<r:resourcePropertyElementProducers/>"),
            "has 0 elements className; expected one",
        ),
    ],
)
def test_wrong_rpprovider_files_are_refused_by_name_and_line(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_member([written(tmp_path, text)])
    (problem,) = caught.value.problems
    assert said in str(problem)


def test_the_samples_of_the_toolkit_are_read_unchanged() -> None:
    sample = SHARED / "samples" / "mds4-docs" / "rp-provider-config.xml"
    if not sample.exists():
        pytest.skip("the samples of MDS4 are not here")
    (fortune,) = load_member([sample]).producers
    assert fortune.name == "{http://my.ns.domain/fortuneProvider}FortuneRP"
    program = "/MY/GLOBUS/LOCATION/libexec/fortune_script.sh"
    assert fortune.origin == Executable((program, "dummyArgument"))
    assert fortune.period == 300.0


def test_the_sample_for_ganglia_is_refused_for_ganglia_alone() -> None:
    sample = SHARED / "schemas/gt4/etc/usefulrp/gluece-rpprovider-sample-config.xml"
    if not sample.exists():
        pytest.skip("the samples of MDS4 are not here")
    with pytest.raises(ConfigurationError) as caught:
        load_member([sample])
    (problem,) = caught.value.problems
    assert (problem.line, "GangliaElementProducer" in problem.text) == (22, True)
