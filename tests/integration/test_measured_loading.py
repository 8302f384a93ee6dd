"""Files of measurements, loaded into the store by the command."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aggregator.errors import MeasurementsRefused
from aggregator.store.engine import Store
from aggregator.store.measured_loading import Loaded, load_folder
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_values import MeasuredDatabase, Within
from tests import stores
from tests.integration.commands import run
from tests.measured_kit import KINDS, Laid, laid, ntp
from tests.shared import SHARED
from tests.unit.test_measured_files import FILES

store = stores.store
PUBLISHED = SHARED / "samples" / "perfsonar" / "fixture"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "measured"
    for name, text in FILES.items():
        (found / name).parent.mkdir(exist_ok=True, parents=True)
        (found / name).write_text(text)
    return found


def everything(database: MeasuredDatabase) -> dict[Any, list[Any]]:
    """All rows of all tests, without the numbers of tests, which are each database's own."""
    rows: dict[Any, list[Any]] = {}
    for test in database.tests():
        if test.kind == "bwctl":
            rows[test[:4]] = list(database.throughput(test, Within(), timeout=20))
        else:
            rows[test[:4]] = list(database.delays(test, Within(), buckets=True, timeout=20))
    return rows


def test_a_folder_is_loaded_and_loaded_again(store: Store, folder: Path) -> None:
    own, told = OwnMeasurements(store), []
    loaded = load_folder(folder, own, progress=lambda done, total: told.append((done, total)))
    assert loaded == Loaded(tests=3, throughput=2, delays=1, new=3)
    assert told == [(1, None), (2, None), (3, None), (1, 3), (2, 3), (3, 3)]
    before = everything(own)
    assert load_folder(folder, own) == Loaded(tests=3, throughput=2, delays=1, new=0)
    assert everything(own) == before
    assert [len(rows) for rows in before.values()] == [1, 1, 1]


def test_nothing_is_loaded_where_the_last_file_is_wrong(store: Store, folder: Path) -> None:
    (folder / "owamp/20100825_DELAY.csv").write_text("nonsense\n")
    own = OwnMeasurements(store)
    with pytest.raises(MeasurementsRefused, match="20100825_DELAY"):
        load_folder(folder, own)
    assert list(own.tests()) == []


def published() -> Path:
    if not PUBLISHED.exists():
        pytest.skip(f"the published samples are not at {PUBLISHED}")
    return PUBLISHED


@pytest.fixture(params=KINDS)
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Laid]]:
    """Databases of both kinds with the rows of the published samples."""
    source = published()
    with (
        laid(request.param, "bwctl", tmp_path) as throughput,
        laid(request.param, "owamp", _made(tmp_path / "delays")) as delays,
    ):
        databases = {"bwctl": throughput, "owamp": delays}
        for kind, database in databases.items():
            for path in sorted((source / kind).glob("*_DATA.csv")):
                prefix = path.stem.removesuffix("_DATA")
                tables = {
                    name: _rows(source / kind / f"{prefix}_{name}.csv")
                    for name in ("DATA", "DELAY")
                    if (source / kind / f"{prefix}_{name}.csv").exists()
                }
                database.add_set(prefix, nodes={}, settings={}, **tables)
                for name in ("NODES", "TESTSPEC"):
                    table = f"{prefix}_{name}"
                    database.insert(table, _rows(source / kind / f"{table}.csv"))
        yield databases


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> Any:
    if not text:
        return None
    if text.isdecimal():
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def test_files_and_tables_hold_the_same(filled: dict[str, Laid], tmp_path: Path) -> None:
    store = stores.opened("", tmp_path)
    stores.prepare(store)
    own = OwnMeasurements(store)
    assert load_folder(published(), own) == Loaded(tests=3, throughput=3, delays=17, new=20)
    loaded = everything(own)
    store.close()
    read = {name: row for one in filled.values() for name, row in everything(one.opened()).items()}
    assert loaded == read


def test_the_published_samples_are_answered_as_they_tell(filled: dict[str, Laid]) -> None:
    delays = filled["owamp"].opened()
    with_buckets, plain = delays.tests()
    assert plain.source == "64.57.16.226"
    assert dict(plain.parameters)["count"] == "10800"
    within = Within(ntp(1282746000), ntp(1282746300))
    assert len(list(delays.delays(plain, within, buckets=False, timeout=9))) == 3
    samples = list(delays.delays(with_buckets, Within(), buckets=True, timeout=9))
    assert len(samples) == 14
    counts = [sum(count for _, count in one.buckets) for one in samples]
    assert sorted(counts) == [599] + 13 * [600]
    assert samples[0].buckets[:2] == ((215, 281), (216, 315))


class TestCommand:
    def test_it_loads_into_the_store(self, folder: Path, tmp_path: Path, database_url: str) -> None:
        options = ("--data-dir", str(tmp_path / "data"), "--database", database_url)
        assert run("aggregator", "migrate", *options).status == 0
        done = run("aggregator", "measurement", "load", *options, str(folder))
        assert (done.status, done.err) == (0, "")
        summary = "2 measurements of throughput and 1 sample of delays, of 3 tests; {} were new\n"
        assert done.out == summary.format(3)
        again = run("aggregator", "measurement", "load", *options, str(folder))
        assert again.out == summary.format(0)

    def test_what_is_wrong_is_one_line(self, folder: Path, tmp_path: Path) -> None:
        data = ("--data-dir", str(tmp_path / "data"))
        early = run("aggregator", "measurement", "load", *data, str(folder))
        assert early.status == 2
        assert "aggregator migrate" in early.err
        run("aggregator", "migrate", *data)
        shutil.rmtree(folder / "bwctl")
        (folder / "owamp/DATES.csv").write_text("year,month,day\n2010,x,1\n")
        wrong = run("aggregator", "measurement", "load", *data, str(folder))
        assert wrong.status == 1
        assert wrong.err == (
            f"error: {folder}/owamp/DATES.csv, line 2, column month: 'x' given; expected is a whole"
            " number from 1 to 12\n"
        )

    def test_it_tells_how_it_is_used(self) -> None:
        shown = run("aggregator", "measurement", "load", "--help")
        assert "Example: aggregator measurement load --data-dir ./data ./measured" in shown.out
