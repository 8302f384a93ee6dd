"""The page on databases of measurements: its examples run as they are shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.integration.commands import run
from tests.measured_kit import UDP, laid, ntp, throughput_row
from tests.pages import Page
from tests.sources_read import ROOT
from tests.unit.test_measured_files import AT, FILES

PAGE = Page(ROOT / "docs" / "measurement-databases.md")


def test_a_database_is_read_as_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with laid("sqlite", "bwctl", tmp_path) as database:
        rows = [throughput_row(ntp(AT), throughput=910228000.0)]
        nodes = {101: "10.0.0.1", 102: "10.0.0.2"}
        database.add_set("201008", nodes=nodes, settings={201: UDP}, DATA=rows)
        (shown,) = PAGE.fenced("python")
        exec(shown.replace("sqlite:///bwctl.sqlite", database.url), {})
    assert capsys.readouterr().out == PAGE.fenced("text")[0]


def test_files_are_loaded_as_the_page_shows(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / "measured" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "measured" / name).write_text(text)
    (shown,) = PAGE.fenced("sh")
    commands = [shlex.split(line.replace("./", f"{tmp_path}/")) for line in shown.splitlines()]
    done = [run(*words) for words in commands]
    assert [one.status for one in done] == [0, 0]
    assert "".join(one.out for one in done) == PAGE.fenced("text")[1]
    path = tmp_path / "measured/bwctl/201008_DATA.csv"
    path.write_text(path.read_text().replace("9.10228e+08", "fast"))
    wrong = run(*commands[1])
    assert wrong.status == 1
    assert wrong.err.replace(f"{tmp_path}/", "") == PAGE.fenced("text")[2]


def test_tables_that_the_page_names_are_those_of_the_store() -> None:
    from aggregator.store.measured_tables import metadata  # noqa: PLC0415

    named = set(re.findall(r"`(measured_(?!values)\w+)`", PAGE.text))
    assert named == {name for name in metadata.tables if name.startswith("measured_")}
