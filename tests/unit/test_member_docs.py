"""The page on the member: its examples are what the member reads and writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from aggregator.member import java_names, keys
from aggregator.member.configuration import load_member
from aggregator.member.settings import File, MemberSettings

PAGE = Path(__file__).parents[2] / "docs" / "member.md"
STYLESHEET = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'


def examples(language: str) -> list[str]:
    """The page's examples in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def test_the_toml_example_is_read_and_shows_the_defaults(tmp_path: Path) -> None:
    (example,) = examples("toml")
    (tmp_path / "motd.xsl").write_text(STYLESHEET)
    file = tmp_path / "member.toml"
    file.write_text(example)
    settings = load_member([file])
    assert len(settings.producers) == example.count("[[property]]") == 4
    defaults = MemberSettings()
    assert (settings.host, settings.port) == (defaults.host, defaults.port)
    assert (settings.query_timeout, settings.max_body) == (
        defaults.query_timeout,
        defaults.max_body,
    )


def test_the_rpprovider_example_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOBUS_LOCATION", "/globus")
    file = tmp_path / "rp.xml"
    file.write_text(examples("xml")[0])
    (producer,) = load_member([file]).producers
    assert producer.name == "{http://example.org/site}MOTD"
    assert producer.origin == File(Path("/globus/etc/motd.xml"))


def test_every_key_and_class_is_told() -> None:
    page = PAGE.read_text()
    for name in (
        *keys.MEMBER_KEYS,
        *keys.PROPERTY_KEYS,
        *java_names.PRODUCERS,
        *java_names.TRANSFORMS,
        *java_names.IMPLEMENTATIONS,
    ):
        assert name in page


def test_the_health_example_is_well_formed() -> None:
    assert etree.fromstring(examples("xml")[1]).tag == "{urn:mds-aggregator:member}Producers"
