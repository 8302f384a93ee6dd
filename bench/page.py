"""docs/performance.md: the tables and pictures of the benchmarks, made anew from their results."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Picture, Result, result_of

_HEAD = """# Performance

Measured side by side with what one would pick instead, on one machine, in turn, in one run. What
counts are the ratios; the absolute figures are this machine's. This page is made by

```sh
bench/run                       # all benchmarks, some five minutes each
bench/run full-query --page     # one of them, with its part of this page
```
"""
_PACKAGES = ("gunicorn", "gunicorn_h1c", "spyne", "lxml", "SQLAlchemy", "pycurl", "psycopg")
#: How far a figure is at most taken to be past its target, for a picture.
_FARTHEST = 100.0
_DEBIAN = ("nginx-light", "etcd-server", "prometheus", "basex", "wrk", "postgresql-15")


def machine() -> dict[str, Any]:
    """The machine, and the versions of what ran."""
    versions = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    for name in _DEBIAN:
        versions[name] = _debian(name)
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "http_parser": "gunicorn_h1c (C)" if "not" not in versions["gunicorn_h1c"] else "Python",
        "versions": versions,
    }


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _debian(name: str) -> str:
    command = ["dpkg-query", "-W", "-f", "${Version}", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not here"
    return done.stdout or "not installed"


def write(folder: Path, results: Sequence[Result], *, order: Sequence[str]) -> None:
    """Make the page in `folder`, the documents' folder, with these results over older ones."""
    kept = folder / "performance" / "results.json"
    kept.parent.mkdir(exist_ok=True)
    known = {}
    if kept.exists():
        known = {one["name"]: one for one in json.loads(kept.read_text())["results"]}
    known |= {one.name: one.as_json() for one in results}
    sorted_ = [known[name] for name in order if name in known]
    found = {"machine": machine(), "results": sorted_}
    kept.write_text(json.dumps(found, indent=1) + "\n")
    all_ = [result_of(one) for one in sorted_]
    for result in all_:
        for number, picture in enumerate(result.pictures):
            _draw(picture, kept.parent / _file(result, number))
        if not result.pictures and _shares(result):
            _draw_shares(result, kept.parent / _file(result, 0))
    (folder / "performance.md").write_text(_page(all_, found["machine"]))


def _file(result: Result, number: int) -> str:
    return result.name + (f"-{number + 1}" if number else "")


def _page(results: Sequence[Result], found: dict[str, Any]) -> str:
    parts = [_HEAD, "## Targets\n", _targets(results)]
    parts += [_section(result) for result in results]
    parts.append(_machine(found))
    return "\n".join(parts)


def _targets(results: Sequence[Result]) -> str:
    rows = [
        (
            f"[{result.name}](#{result.name})",
            one.name,
            f"{one.measured:.3g} {one.unit}".strip(),
            f"{one.bound} {one.target:g} {one.unit}".strip(),
            "yes" if one.is_met else "**no**",
        )
        for result in results
        for one in result.figures
    ]
    return _table(("benchmark", "figure", "measured", "target", "met"), rows)


def _section(result: Result) -> str:
    parts = [f"## {result.name}\n", f"{result.what}. Took {result.seconds:.0f} s.\n"]
    if result.rows:
        parts.append(_table(result.columns, result.rows))
    for number, picture in enumerate(result.pictures):
        name = f"performance/{_file(result, number)}"
        parts.append(f"![{picture.title}]({name}.svg)\n")
    if not result.pictures and _shares(result):
        parts.append(f"![Measured to target](performance/{_file(result, 0)}.svg)\n")
    parts += [f"{note.rstrip('.')}.\n" for note in result.notes]
    parts += [f"Left out: {what}.\n" for what in result.missing]
    return "\n".join(parts)


def _machine(found: dict[str, Any]) -> str:
    about = (
        f"{found['cores']} cores ({found['processor']}), {found['memory_gib']} GiB, "
        f"{found['system']}. HTTP was parsed by {found['http_parser']}."
    )
    return f"## The machine\n\n{about}\n\n" + _table(
        ("what", "version"), list(found["versions"].items())
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shares(result: Result) -> dict[str, float]:
    """By figure how far it is: from 1 on the target is met. Left out are targets of nothing."""
    return {
        one.name: one.measured / one.target
        if one.bound == "at least"
        else one.target / max(one.measured, one.target / _FARTHEST)
        for one in result.figures
        if one.target
    }


def _draw_shares(result: Result, path: Path) -> None:
    """The figures of a benchmark without a picture of its own."""
    pyplot = _pyplot()
    shares = _shares(result)
    figure, axes = pyplot.subplots(figsize=(7, 1.2 + 0.5 * len(shares)))
    colours = ["tab:blue" if share >= 1 else "tab:orange" for share in shares.values()]
    axes.barh(list(shares), [max(share, 1 / _FARTHEST) for share in shares.values()], color=colours)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set(title=f"{result.name}: how far (1: the target is met)", xscale="log")
    axes.set_xlim(left=1 / _FARTHEST)
    axes.invert_yaxis()
    axes.grid(alpha=0.3, axis="x")
    _save(figure, path)


def _draw(picture: Picture, path: Path) -> None:
    """The picture as SVG and PNG."""
    figure, axes = _pyplot().subplots(figsize=(7, 4))
    for line in picture.lines:
        axes.plot(*zip(*line.points, strict=True), marker="o", label=line.label)
    axes.set(title=picture.title, xlabel=picture.x, ylabel=picture.y)
    axes.set_ylim(bottom=0)
    if picture.log:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def _pyplot() -> Any:
    import matplotlib  # noqa: PLC0415  (an extra, for this alone)

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "performance"
    from matplotlib import pyplot  # noqa: PLC0415

    return pyplot


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=120, metadata={"Software": None})
    _pyplot().close(figure)
