"""The examples of docs/measurement.md: settings that pass, a message that is answered."""

from __future__ import annotations

import tomllib
from pathlib import Path

from click.testing import CliRunner

from aggregator.cli.main import main
from tests.measured import UDP, Measured, archive_of, endpoint, find, minutes, reply
from tests.pages import Page
from tests.sources_read import ROOT

PAGE = Page(ROOT / "docs" / "measurement.md")
SINK = Page(ROOT / "docs" / "sinks" / "measurement.md")
#: The first second of the day that the page asks for.
MORNING = 14996665151992627200


def test_the_settings_pass(tmp_path: Path) -> None:
    (text,) = PAGE.fenced("toml")
    assert len(tomllib.loads(text)["measurement"]["databases"]) == 2
    (group,) = SINK.fenced("toml")
    text += group
    file = tmp_path / "aggregator.toml"
    file.write_text(text)
    result = CliRunner().invoke(main, ["check", str(file)])
    assert (result.exit_code, result.output) == (0, "ok\n")


def test_the_message_asks_for_a_day_of_a_path(tmp_path: Path) -> None:
    (text,) = PAGE.fenced("xml")
    measured = Measured({201: minutes(3000, begin=MORNING - (60 << 32))}, known=[UDP])
    found = reply(endpoint(archive_of(measured, tmp_path)).answer(text.encode()))
    assert [one.get("metadataIdRef") for one in find(found, "nmwg:metadata")] == ["day"]
    # The bounds belong to no range: what was measured on the first second is left out.
    assert len(find(found, "nmwg:data/iperf:datum")) == 1439
