"""The page, the help texts and the variables say what the declarations say."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from aggregator.config import Settings, load_settings, option_help
from aggregator.config.document import page
from aggregator.config.groups import GroupSettings
from aggregator.config.setting import settings_of
from aggregator.config.settings import SECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "renew it: python -m aggregator.config.document > docs/configuration.md"
    )


def test_every_field_of_a_section_is_a_declared_setting() -> None:
    for section in (*SECTIONS.values(), GroupSettings):
        names = [declared.name for declared in fields(section) if declared.name != "name"]
        assert names == list(settings_of(section))
    assert {declared.name for declared in fields(Settings)} == {*SECTIONS, "groups"}


def test_every_setting_is_described_once() -> None:
    rows = Settings.describe()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.help.endswith("."), row.name
        assert row.default, row.name
        assert row.unit == {"duration": "seconds", "size": "bytes"}.get(row.type, ""), row.name


def test_every_default_is_taken_when_it_is_written_in_a_file(tmp_path: Path) -> None:
    """Defaults pass their own checks, and are documented in the words that mean them."""
    file = tmp_path / "defaults.toml"
    lines: list[str] = []
    for row in Settings.describe():
        if row.section == "groups.NAME" or row.key == "data_dir":
            continue
        if f"[{row.section}]" not in lines:
            lines.append(f"[{row.section}]")
        lines.append(f"{row.key} = {row.default}")
    file.write_text("\n".join(lines))
    written = load_settings(file, environ={}, options={})
    assert written == load_settings(None, environ={}, options={})


def test_help_names_meaning_variable_and_default() -> None:
    assert option_help("server.port") == (
        "Port to listen on; 0 picks a free one.  [AGGREGATOR_SERVER_PORT; default: 8080]"
    )
    with pytest.raises(KeyError, match=r"no setting is named server\.prot"):
        option_help("server.prot")
