"""Series of an archive: what is taken, and what is refused at start, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.config import ConfigurationError, Settings, load_settings
from aggregator.config.series import Series
from aggregator.run.preparation import amiss

GOOD = """
[groups.ArchiveService]
series_bucket = "5m"
[groups.ArchiveService.series.free]
xpath = "sum(//g:State/@g:FreeCPUs)"
namespaces = { g = "http://mds.globus.org/glue/ce/1.1" }
[groups.ArchiveService.series]
one = { xpath = "1" }
"""


def load(text: str, folder: Path) -> Settings:
    file = folder / "a.toml"
    file.write_text(text)
    return load_settings(file, environ={}, options={}, further=amiss)


def refusals(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load(text, folder)
    return [str(problem).partition("a.toml:")[2] for problem in refused.value.problems]


def test_series_are_taken(tmp_path: Path) -> None:
    group = load(GOOD, tmp_path).groups["ArchiveService"]
    glue = "http://mds.globus.org/glue/ce/1.1"
    assert group.series == (
        Series("free", "sum(//g:State/@g:FreeCPUs)", (("g", glue),)),
        Series("one", "1"),
    )
    assert (group.series_bucket, group.sinks, group.is_archived) == (300, ("archive",), True)
    assert not load("", tmp_path).groups["DefaultIndexService"].is_archived


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('x = { xpath = "//[" }', "x: '//[' is no XPath 1.0"),
        ('x = { xpath = "//p:a" }', "x: '//p:a' is no XPath 1.0: the prefix 'p'"),
        ("x = { xpath = \"document('f')\" }", "document() is no function of XPath 1.0"),
        ('x = { xpath = "" }', "the expression is empty"),
        ("x = {}", "is not a table with an xpath"),
        ('x = "//a"', "is not a table with an xpath"),
        ('x = { xpath = "1", name = "y" }', "unknown key"),
        ('"x y" = { xpath = "1" }', "the name of a series has letters, digits and _"),
        ('x = { xpath = "1", namespaces = { "1" = "urn:x" } }', "'1' is no prefix"),
        ('x = { xpath = "1", namespaces = { p = "" } }', "'p' is no prefix with a namespace"),
        ('x = { xpath = "1", namespaces = "urn:x" }', "is not a table of prefixes"),
    ],
)
def test_what_can_t_work_is_refused_at_start(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = refusals(f"[groups.ArchiveService.series]\n{text}\n", tmp_path)
    assert said in problem
    assert "groups.ArchiveService.series" in problem
    assert problem.split(":")[0].strip() in ("1", "2"), problem


@pytest.mark.parametrize("bucket", ["7s", "1.5", "50m"])
def test_buckets_divide_a_day(tmp_path: Path, bucket: str) -> None:
    (problem,) = refusals(f'[groups.ArchiveService]\nseries_bucket = "{bucket}"\n', tmp_path)
    assert "does not divide a day" in problem


def test_there_are_no_more_than_can_be_evaluated(tmp_path: Path) -> None:
    many = "".join(f'x{number} = {{ xpath = "1" }}\n' for number in range(101))
    (problem,) = refusals(f"[groups.ArchiveService.series]\n{many}", tmp_path)
    assert "at most 100 series" in problem
