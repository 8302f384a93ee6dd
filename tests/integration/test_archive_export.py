"""Exports and plots of an archive from the store alone, by functions and by the command."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from aggregator.archive import export as exporting
from aggregator.archive.export import DOCUMENTS, NUMBERS, documents, export, numbers
from aggregator.archive.opening import Opened
from aggregator.cli.archive import archive
from aggregator.errors import ConfigError
from aggregator.store.archive_reading import Wanted
from aggregator.store.engine import Store
from tests import stores
from tests.integration.archive_kit import END, MORNING, arrival, at, keep

store = stores.store
ALL = Wanted(0, END)


@pytest.fixture
def opened(store: Store) -> Opened:
    """Deliveries of two members, one of which says numbers; the other a text that is awkward."""
    keep(store, *(arrival(str(n), at(n), load=n / 4) for n in range(5)))
    keep(store, arrival('"a,\n=\u00e9"', at(2.5), key="k2", member="http://m2/s"))
    return Opened(store, "A", 1)


def read(file: Path, form: str) -> list[dict[str, Any]]:
    if form == "parquet":
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
        return rows
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def moment(value: Any) -> float:
    """Seconds since that morning, of a column with an instant."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    assert found.tzinfo is not None
    return (found - datetime.fromtimestamp(MORNING / 1e6, UTC)).total_seconds()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_holds_what_is_kept(opened: Opened, tmp_path: Path, form: str) -> None:
    file = tmp_path / "file"
    told: list[int] = []
    made = documents(opened, ALL)
    assert export(made, DOCUMENTS, file, form=form, overwrite=False, progress=told.append) == 6
    rows = read(file, form)
    assert [moment(row["first"]) for row in rows] == [0, 1, 2, 2.5, 3, 4]
    assert rows[3]["member"] == "http://m2/s"
    assert '<v>"a,\n=\u00e9"</v>' in rows[3]["document"]
    assert {int(row["deliveries"]) for row in rows} == {1}
    assert sum(told) == 6
    export(numbers(opened, ALL), NUMBERS, file, form=form, overwrite=True)
    assert [(moment(one["at"]), float(one["value"])) for one in read(file, form)] == [
        (n, n / 4) for n in range(5)
    ]
    assert {(one["series"], one["entry"]) for one in read(file, form)} == {("load", "k1")}
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("f")] == ["file"]


def test_times_and_members_are_chosen(opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "file"
    wanted = Wanted(at(1), at(3), "http://m1/s")
    export(documents(opened, wanted), DOCUMENTS, file, form="csv", overwrite=False)
    assert [moment(row["first"]) for row in read(file, "csv")] == [1, 2, 3]
    export(numbers(opened, wanted), NUMBERS, file, form="csv", overwrite=True)
    assert [moment(row["at"]) for row in read(file, "csv")] == [1, 2, 3]
    export(
        numbers(opened, Wanted(0, END, "http://m2/s")), NUMBERS, file, form="csv", overwrite=True
    )
    assert read(file, "csv") == []


def test_pages_are_small_whatever_there_is(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_PAGE", 2)
    monkeypatch.setattr(exporting, "_POINTS", 2)
    assert [len(page) for page in documents(opened, ALL)] == [2, 2, 2]
    assert [len(page) for page in numbers(opened, ALL)] == [2, 2, 1]


def test_nobodys_file_is_replaced_unasked(opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ConfigError, match=r"file is there already; give --force to replace it"):
        export(documents(opened, ALL), DOCUMENTS, file, form="csv", overwrite=False)
    assert file.read_text() == "mine"
    file.unlink()

    def somebody_comes() -> Iterator[Any]:
        yield from documents(opened, ALL)
        file.write_text("mine")

    with pytest.raises(ConfigError, match="is there already"):
        export(somebody_comes(), DOCUMENTS, file, form="csv", overwrite=False)
    assert file.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir() if "part" in one.name] == []


def test_half_a_file_is_found_by_nobody(opened: Opened, tmp_path: Path) -> None:
    def breaks_off() -> Iterator[Any]:
        yield next(documents(opened, ALL))
        raise KeyboardInterrupt

    file = tmp_path / "file"
    with pytest.raises(KeyboardInterrupt):
        export(breaks_off(), DOCUMENTS, file, form="csv", overwrite=True)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith((".file", "file"))] == []


def test_what_parquet_needs_is_named_where_it_is_missing(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install mds-aggregator\[parquet\]"):
        export(documents(opened, ALL), DOCUMENTS, tmp_path / "f", form="parquet", overwrite=False)
    assert not (tmp_path / "f").exists()


class TestCommand:
    @pytest.fixture
    def url(self, opened: Opened) -> str:
        url = opened.store.database.reading.url.render_as_string(hide_password=False)
        if opened.store.is_sqlite:
            return f"sqlite:///{opened.store.database.path}"  # type: ignore[attr-defined]
        return url

    def run(self, url: str, *arguments: str) -> Result:
        command, *rest = arguments
        return CliRunner().invoke(archive, [command, "--database", url, "--group", "A", *rest])

    def test_shows_a_series(self, url: str) -> None:
        when = ("-from", "2023-11-15T00:00:00Z", "-to", "2023-11-15T00:00:03Z")
        table = self.run(url, "series", "load", "--bucket", "2s", *when)
        assert table.exit_code == 0, table.output
        head, *lines = [line.split() for line in table.output.splitlines()]
        assert head == ["MEMBER", "ENTRY", "AT", "COUNT", "MIN", "MAX", "MEAN", "LAST"]
        assert [line[3:] for line in lines] == [
            ["2", "0", "0.25", "0.125", "0.25"],
            ["2", "0.5", "0.75", "0.625", "0.75"],
        ]
        found = self.run(url, "series", "load", "--bucket", "2s", *when, "--output", "json")
        (told,) = json.loads(found.output)
        (member,) = told["members"]
        assert member["member"] == "http://m1/s"
        assert member["buckets"][0] == {
            "at": "2023-11-15T00:00:00.000Z",
            "count": 2,
            "min": 0.0,
            "max": 0.25,
            "mean": 0.125,
            "last": 0.25,
        }

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["series", "load", "--bucket", "0s"], "is not a duration from 1s"),
            (["series", "load", "-from", "soon"], "-from: 'soon' is no xsd:dateTime"),
            (["series", "load", "--bucket", "1s"], "that would be 86401 buckets"),
            (["export", "--format", "csv", "/nowhere/x"], "can't be written: No such file"),
            (["series", "load", "--group", "C"], "the store knows no group 'C'; there are A, B"),
        ],
    )
    def test_says_what_is_wrong(self, url: str, arguments: list[str], words: str) -> None:
        done = self.run(url, *arguments)
        assert done.exit_code == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_makes_no_database_where_there_is_none(self, tmp_path: Path) -> None:
        done = self.run(f"sqlite:///{tmp_path / 'none.db'}", "series", "load")
        assert done.exit_code == 2
        assert "there is no database at" in done.stderr
        assert list(tmp_path.iterdir()) == []
