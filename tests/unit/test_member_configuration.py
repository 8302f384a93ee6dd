"""A member's configuration: TOML, rpprovider files of MDS4, and what is refused of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aggregator.config.errors import ConfigurationError
from aggregator.member.configuration import load_member
from aggregator.member.settings import (
    HOST_PRODUCERS,
    Executable,
    File,
    HostFacts,
    ProducerSettings,
    SchedulerTransform,
    Stylesheet,
    Url,
)

GLUE = "http://mds.globus.org/glue/ce/1.1"
STYLESHEET = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'


def load(folder: Path, text: str, name: str = "member.toml") -> tuple[ProducerSettings, ...]:
    """The producers of one file."""
    (folder / name).write_text(text)
    return load_member([folder / name]).producers


def refused(folder: Path, text: str, name: str = "member.toml") -> list[str]:
    """What is said of one file, without the folder."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, name)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_without_a_configuration_the_host_is_published() -> None:
    settings = load_member()
    assert settings.producers == HOST_PRODUCERS
    assert (settings.host, settings.port) == ("127.0.0.1", 9080)
    assert {producer.name for producer in settings.producers} == {
        f"{{{GLUE}}}GLUECE",
        f"{{{GLUE}}}Host",
    }


def test_options_win_over_the_file_and_none_of_them_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        '[member]\nport = 1000\nhost = "::1"\nquery_timeout = "2s"\nmax_body = "1MiB"\n'
    )
    settings = load_member([file], options={"port": 2000, "host": None, "public_url": None})
    assert (settings.host, settings.port, settings.public_url) == ("::1", 2000, "")
    assert (settings.query_timeout, settings.max_body) == (2.0, 1024 * 1024)
    assert settings.producers == HOST_PRODUCERS


def test_every_kind_of_property_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.xsl").write_text(STYLESHEET)
    producers = load(
        tmp_path,
        f"""
        [namespaces]
        s = "urn:s"
        [[property]]
        name = "s:program"
        executable = ["{sys.executable}", "-V", ""]
        period = "1m30s"
        timeout = 5
        max_output = "2KiB"
        first_failure = "cancel"
        [[property]]
        name = "{{urn:t}}file"
        file = "sub/x.xml"
        transform = "t.xsl"
        [[property]]
        name = "plain"
        url = "https://example.org:8443/x?y=z"
        [[property]]
        name = "glue:Cluster"
        host = "Cluster"
        [[property]]
        name = "glue:GLUECE"
        scheduler = ["{sys.executable}"]
        """,
    )
    assert producers == (
        ProducerSettings(
            "{urn:s}program",
            Executable((sys.executable, "-V", "")),
            period=90.0,
            timeout=5.0,
            max_output=2048,
            first_failure="cancel",
        ),
        ProducerSettings(
            "{urn:t}file",
            File(tmp_path / "sub/x.xml"),
            transform=Stylesheet(tmp_path / "t.xsl", STYLESHEET.encode()),
        ),
        ProducerSettings("plain", Url("https://example.org:8443/x?y=z")),
        ProducerSettings(f"{{{GLUE}}}Cluster", HostFacts("Cluster")),
        ProducerSettings(
            f"{{{GLUE}}}GLUECE", Executable((sys.executable,)), transform=SchedulerTransform()
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[membr]\n", "member.toml:1: membr: unknown key; did you mean member?"),
        ("[member]\nports = 1\n", "member.toml:2: member.ports: unknown key; did you mean port?"),
        ("[member]\nport = 70000", "member.toml:2: member.port: 70000 is not a whole number"),
        ("[member]\npublic_url = 'ftp://x'", "an http or https address"),
        ("[member]\npublic_url = 'http://[x'", "an http or https address"),
        ("a = \n", "member.toml: not TOML: "),
        ("property = 1", "member.toml:1: property: write each property as [[property]]"),
        ("[[property]]\nhost = 'Host'", "member.toml:1: property.1.name: a property needs a name"),
        ("[[property]]\nname = 'x:y'\nhost = 'Host'", "the prefix 'x' is not in [namespaces]"),
        ("[[property]]\nname = 'a b'\nhost = 'Host'", "'a b' is no name of an element"),
        (
            "[[property]]\nname = '{http://docs.oasis-open.org/wsrf/rl-2}CurrentTime'\n"
            "host = 'Host'",
            "is given by the member itself",
        ),
        ("[[property]]\nname = '{a\"b}x'\nhost = 'Host'", "is no name of an element"),
        ("[[property]]\nname = '{urn:a}'\nhost = 'Host'", "is no name of an element"),
        ("[[property]]\nname = 'x'\nhost = 'Hots'", "one of GLUECE, Cluster, SubCluster, Host"),
        (
            "[[property]]\nname = 'x'\nhost = 'Host'\nfile = 'x'",
            "member.toml:1: property.1: a property has exactly one of executable, file, url, "
            "host, scheduler; here: file and host",
        ),
        ("[[property]]\nname = 'x'\nexecutable = 'ls'", "a list of a program and its arguments"),
        ("[[property]]\nname = 'x'\nexecutable = ['./no']", "no file that may be executed"),
        ("[[property]]\nname = 'x'\nurl = 'file:///etc/passwd'", "an http or https address"),
        ("[[property]]\nname = 'x'\nfile = 'x'\nperiode = 1", "did you mean period?"),
        ("[[property]]\nname = 'x'\nfile = 'x'\nperiod = 0.01", "property.1.period: 0.01 is not"),
        ("[[property]]\nname = 'x'\nfile = 'x'\ntransform = 'no.xsl'", "can't be read"),
        ("[[property]]\nname = 'x'\nfile = 'x'\ntransform = 'bad.xsl'", "no stylesheet"),
        ("[[property]]\nname = 'x'\nfile = 'x'\ntransform = 'far.xsl'", "are not followed"),
        ("[member]\nrpprovider = ['none.xml']", "none.xml: can't be read: No such file"),
    ],
)
def test_wrong_toml_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.xsl").write_text("<a/>")
    (tmp_path / "far.xsl").write_text(
        STYLESHEET.replace("/>", '><xsl:import href="file:///etc/passwd"/></xsl:stylesheet>')
    )
    (problem,) = refused(tmp_path, text)
    assert said in problem


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "rp.xml").write_text("<a/>")
    told = refused(
        tmp_path, "[member]\nport = -1\nrpprovider = ['rp.xml']\n[[property]]\nname = 'x'\n"
    )
    assert [line.split(":")[0] for line in told] == ["member.toml", "member.toml", "rp.xml"]
