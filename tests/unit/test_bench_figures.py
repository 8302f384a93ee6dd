"""What benchmarks tell, and the page that is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import page
from bench.benchmark import BENCHMARKS
from bench.figures import Figure, Line, Picture, Result, result_of


def a_result(name: str = "full-query", measured: float = 0.7) -> Result:
    return Result(
        name,
        "All of it",
        figures=[Figure("to the peer", measured, "", "at least", 0.6)],
        columns=("clients", "replies/s"),
        rows=[("1", "1,000")],
        pictures=[Picture("Rates", "clients", "a second", (Line("us", ((1.0, 2.0), (4.0, 3.0))),))],
        missing=["nginx is not here"],
        notes=["A note"],
        seconds=12.0,
    )


@pytest.mark.parametrize(
    ("bound", "measured", "met"),
    [
        ("at least", 0.6, True),
        ("at least", 0.59, False),
        ("at most", 0.6, True),
        ("at most", 0.61, False),
    ],
)
def test_a_target_is_met_or_not(bound: str, measured: float, met: bool) -> None:
    figure = Figure("x", measured, "", bound, 0.6)  # type: ignore[arg-type]
    assert figure.is_met is met


def test_a_result_survives_json() -> None:
    result = a_result()
    assert result_of(json.loads(json.dumps(result.as_json()))) == result


def test_the_page_keeps_what_it_knew_of_the_others(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    order = ["full-query", "add"]
    page.write(tmp_path, [a_result("add")], order=order)
    page.write(tmp_path, [a_result("full-query", measured=0.5)], order=order)
    text = (tmp_path / "performance.md").read_text()
    assert text.index("## full-query") < text.index("## add")
    assert "| [full-query](#full-query) | to the peer | 0.5 | at least 0.6 | **no** |" in text
    assert "| [add](#add) | to the peer | 0.7 | at least 0.6 | yes |" in text
    assert "Left out: nginx is not here." in text
    assert "| Python |" in text
    for name in order:
        assert (tmp_path / "performance" / f"{name}.svg").read_text().count("<svg") == 1
        assert (tmp_path / "performance" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_benchmark_without_a_picture_has_its_figures_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = a_result("probe")
    result.pictures = []
    result.figures += [
        Figure("late", 0.0, "", "at most", 0),
        Figure("wait", 0.0, "s", "at most", 2.0),
        Figure("CPU", 4.0, "", "at most", 2.0),
    ]
    page.write(tmp_path, [result], order=["probe"])
    assert "(performance/probe.svg)" in (tmp_path / "performance.md").read_text()
    assert (tmp_path / "performance" / "probe.svg").read_text().count("<svg") == 1
    assert (tmp_path / "performance" / "probe.png").read_bytes().startswith(b"\x89PNG")
    shares = page._shares(result)
    assert shares == {"to the peer": pytest.approx(0.7 / 0.6), "wait": 100.0, "CPU": 0.5}


def test_every_benchmark_says_what_it_is() -> None:
    import importlib  # noqa: PLC0415

    for module in BENCHMARKS.values():
        found = importlib.import_module(f"bench.{module}")
        assert found.WHAT
        assert callable(found.run)
