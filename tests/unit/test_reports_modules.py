"""Modules found by the names of their classes, without running any; what stops the start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aggregator.config.reports import ReportsSettings
from aggregator.errors import ModuleRefused
from aggregator.reports.loading import load_class
from aggregator.reports.modules import dependency_tree, modules_of, subtree
from tests.report_kit import modules

RUNS = "raise RuntimeError('nothing may run this')\n"


def names(folder: Path, *wanted: str) -> list[str]:
    return [one.name for one in dependency_tree(wanted, [folder])]


def test_a_class_is_found_by_its_name_and_nothing_is_run(tmp_path: Path) -> None:
    modules(tmp_path, any_file=RUNS + "class Wanted:\n    pass\nclass Other:\n    pass\n")
    assert names(tmp_path, "Wanted") == ["Wanted"]


def test_the_full_tree_is_computed_each_after_what_it_depends_on(tmp_path: Path) -> None:
    text = "class {}:\n    dependencies = {}\n"
    modules(
        tmp_path,
        a=RUNS + text.format("A", ("B", "C")),
        b=text.format("B", ["D"]),
        c=text.format("C", {"D"}) + text.format("Alone", ()),
        d=text.format("D", "'E'") + "class E:\n    dependencies: tuple[str, ...] = ()\n",
        outside=RUNS + "class Outside:\n    pass\n",
    )
    assert names(tmp_path, "A") == ["E", "D", "B", "C", "A"]
    assert names(tmp_path, "C", "A") == ["E", "D", "C", "B", "A"]
    tree = dependency_tree(["A", "Alone"], [tmp_path])
    assert [one.name for one in subtree("B", tree)] == ["E", "D", "B"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Wnated:\n    pass", "no class Wanted is in {}; did you mean Wnated?"),
        (
            "class Wanted:\n    dependencies = ('Missing',)",
            "Wanted depends on Missing, but no class Missing is in {}",
        ),
        (
            "class Wanted:\n    dependencies = ('Two',)\nclass Two:\n    dependencies = 'Three'\n"
            "class Three:\n    dependencies = ['Two']",
            "modules depend on each other in a circle: Two -> Three -> Two",
        ),
        (
            "class Wanted:\n    dependencies = ('Wanted',)",
            "modules depend on each other in a circle: Wanted -> Wanted",
        ),
        (
            "class Wanted:\n    pass\nclass Wanted:\n    pass",
            "two modules have a class Wanted: {0}/m.py and {0}/m.py; rename one",
        ),
        (
            "class Wanted:\n    dependencies = names()",
            "dependencies of Wanted in {}/m.py, line 2, are no literal names of classes such as"
            ' ("FileReader",)',
        ),
        (
            "class Wanted:\n    dependencies = {[]: 1}",
            "dependencies of Wanted in {}/m.py, line 2, are no literal names of classes such as"
            ' ("FileReader",)',
        ),
        (
            "class Wanted:\n    dependencies = ('../x',)",
            "dependencies of Wanted in {}/m.py, line 2, are no literal names of classes such as"
            ' ("FileReader",)',
        ),
    ],
)
def test_what_is_missing_circular_or_doubled_is_named(tmp_path: Path, text: str, told: str) -> None:
    modules(tmp_path, m=text)
    with pytest.raises(ModuleRefused) as refused:
        names(tmp_path, "Wanted")
    assert str(refused.value) == told.format(tmp_path)


def test_files_that_can_not_be_read_are_named_where_something_is_missing(tmp_path: Path) -> None:
    modules(tmp_path, good="class Good:\n    pass", bad="class Wanted(:\n")
    os.mkfifo(tmp_path / "pipe.py")
    assert names(tmp_path, "Good") == ["Good"]
    with pytest.raises(ModuleRefused, match=r"could not be read: .*bad\.py .*pipe\.py"):
        names(tmp_path, "Wanted")


def test_two_folders_with_one_class_are_both_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        modules(tmp_path / name, m="class Wanted:\n    pass")
    with pytest.raises(ModuleRefused, match=r"one/m\.py and .*two/m\.py"):
        dependency_tree(["Wanted"], [tmp_path / "one", tmp_path / "two"])
    # Private classes of modules may share a name as long as nobody asks for it.
    modules(tmp_path / "one", other="class Other:\n    pass")
    assert dependency_tree(["Other"], [tmp_path / "one", tmp_path / "two"])


def test_a_class_that_nobody_wants_stops_nothing(tmp_path: Path) -> None:
    computed = "class {}:\n    dependencies = {}\n"
    modules(
        tmp_path,
        m="class Wanted:\n    pass\n"
        + computed.format("Computed", "names()")
        + computed.format("Unhashable", "{[]: 1}")
        + computed.format("Needs", "('Computed',)"),
    )
    assert names(tmp_path, "Wanted") == ["Wanted"]
    for wanted in ("Computed", "Unhashable", "Needs"):
        with pytest.raises(ModuleRefused, match=r"dependencies of \w+ in .* are no literal names"):
            names(tmp_path, wanted)


def test_what_belongs_to_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = modules(tmp_path / "m", m="class Wanted:\n    pass")
    assert names(folder, "Wanted") == ["Wanted"]
    owner = folder.stat().st_uid
    if owner == 0:
        os.chown(folder / "m.py", 12345, -1)
    else:
        # Nobody else may give a file away.
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(ModuleRefused, match=r"m belongs to the user|m\.py belongs to the user"):
        names(folder, "Wanted")
    if owner == 0:
        # Root's are good for everybody, and one's own.
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert names(folder, "Wanted") == ["Wanted"]


@pytest.mark.parametrize(("file", "folder"), [(0o666, 0o777), (0o664, 0o775)])
def test_what_others_may_write_to_is_refused(tmp_path: Path, file: int, folder: int) -> None:
    modules(tmp_path / "m", m="class Wanted:\n    pass")
    (tmp_path / "m" / "m.py").chmod(file)
    with pytest.raises(ModuleRefused, match=r"others may write to .*m\.py"):
        names(tmp_path / "m", "Wanted")
    (tmp_path / "m" / "m.py").chmod(0o644)
    (tmp_path / "m").chmod(folder)
    with pytest.raises(ModuleRefused, match=r"others may write to .*/m and so"):
        names(tmp_path / "m", "Wanted")
    with pytest.raises(ModuleRefused, match="can't be read: No such file"):
        names(tmp_path / "missing", "Wanted")


def test_modules_are_in_the_folder_of_that_name_unless_others_are_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(tmp_path / "modules", m="class Wanted:\n    pass")
    monkeypatch.chdir(tmp_path)
    [found] = modules_of(ReportsSettings(modules=("Wanted",)))
    assert found.path == tmp_path / "modules" / "m.py"
    with pytest.raises(ModuleRefused, match="no class Wanted is in"):
        modules_of(ReportsSettings(modules=("Wanted",), folders=(tmp_path,)))


def test_without_names_no_folder_is_looked_at(tmp_path: Path) -> None:
    assert dependency_tree([], [tmp_path / "missing"]) == []


@pytest.fixture
def _modules_forgotten() -> object:
    paths, loaded = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = paths
    for name in set(sys.modules) - loaded:
        del sys.modules[name]


@pytest.mark.usefixtures("_modules_forgotten")
class TestLoading:
    def loaded(self, folder: Path, name: str) -> type:
        tree = [(one.name, one.path) for one in dependency_tree([name], [folder])]
        return load_class(name, tree, [folder])

    def test_dependencies_are_imported_before_and_nothing_else_is(self, tmp_path: Path) -> None:
        modules(
            tmp_path,
            site_base="class SiteBase:\n    kind = 'base'\n",
            site_child="from site_base import SiteBase\nclass Child(SiteBase):\n"
            "    dependencies = ('SiteBase',)\n",
            outside=RUNS + "class Outside:\n    pass\n",
        )
        found = self.loaded(tmp_path, "Child")
        assert found.kind == "base"  # type: ignore[attr-defined]
        assert found.__mro__[1] is sys.modules["site_base"].SiteBase

    def test_no_module_takes_the_place_of_another_of_its_name(self, tmp_path: Path) -> None:
        import json  # noqa: PLC0415

        modules(tmp_path, json="import json\nclass Own:\n    dumps = staticmethod(json.dumps)\n")
        found = self.loaded(tmp_path, "Own")
        assert found.dumps is json.dumps  # type: ignore[attr-defined]
        assert sys.modules["json"] is json

    def test_a_class_that_is_gone_once_it_has_run_is_refused(self, tmp_path: Path) -> None:
        modules(tmp_path, gone="class Gone:\n    pass\nGone = 5\n")
        with pytest.raises(ModuleRefused, match="has no class Gone once it has run"):
            self.loaded(tmp_path, "Gone")
