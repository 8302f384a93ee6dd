"""Random bytes against the modules that read messages: ``bench/run fuzz-wire``.

The command makes a corpus of the strategies' messages and starts `wire_target` under atheris, which
changes them further wherever that reaches new code.
"""

from __future__ import annotations

import importlib.util
import json
import re
import secrets
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from rich.console import Console

from tests.fuzzing.case import Case
from tests.fuzzing.envelopes import ANY
from tests.fuzzing.mutations import SPOILT
from tests.soap import NS, SOAP11, SOAP12

HERE = Path(__file__).parent
_SEEDS = 300
_STATS = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_SPACES = (SOAP11, SOAP12, *(uri for names in NS.values() for uri in names.values()))
_WORDS = (
    *("<!DOCTYPE a>", "<!ENTITY", "<![CDATA[", "]]>", "<!--", "-->", "<?xml", "?>", "&#0;", "&#x"),
    *("mustUnderstand='1'", "encoding='utf-16'", "xmlns:a='", "EndpointReference", "Address"),
    *("ReferenceParameters", "MemberEPR", "PT1H", "24:00:00", "+14:00", "9999-12-31T", "charset="),
)


def _write_corpus(folder: Path, first: int) -> None:
    """Messages to begin with, for each target that reads whole ones."""

    @seed(first)
    @settings(
        max_examples=_SEEDS,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=ANY | SPOILT)
    def write(case: Case) -> None:
        number = len(list(folder.iterdir()))
        (folder / f"message-{number}").write_bytes(bytes([number % 2]) + case.content)

    write()
    for number, text in enumerate(["2026-01-31T12:00:00Z", "-P1Y2M3DT4H5M6.7S", "sg:Entry", "//a"]):
        for target in range(2, 10):
            (folder / f"text-{target}-{number}").write_bytes(bytes([target]) + text.encode())


def _write_words(file: Path) -> None:
    file.write_text("".join(f"{json.dumps(word)}\n" for word in (*_SPACES, *_WORDS)))


@click.command()
@click.option("--seconds", default=240, show_default=True, help="How long to go on.")
@click.option("--seed", "first", type=int, help="Drawn where none is given.")
@click.option("--failures", type=Path, default=Path("fuzz-failures"), help="Where they are kept.")
@click.option("--json", "file", type=Path, help="Write the counts to a file.")
def main(*, seconds: int, first: int | None, failures: Path, file: Path | None) -> None:
    """Read bytes that nobody would send; exit 1 where an error is none of the project's own."""
    console = Console()
    if importlib.util.find_spec("atheris") is None:
        console.print("skipped: atheris is not installed here; bin/bootstrap test fuzz brings it")
        return
    start = secrets.randbelow(2**31) if first is None else first
    failures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        corpus, words = Path(name, "corpus"), Path(name, "words")
        corpus.mkdir()
        _write_corpus(corpus, start)
        _write_words(words)
        console.print(f"seed {start}, {seconds} s")
        done = subprocess.run(
            [
                *(sys.executable, HERE / "wire_target.py", corpus),
                *(f"-dict={words}", f"-seed={start}", f"-max_total_time={seconds}"),
                *(f"-artifact_prefix={failures}/", "-timeout=20", "-rss_limit_mb=3000"),
                *("-max_len=8192", "-print_final_stats=1"),
            ],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    with suppress(OSError):
        # Empty, where nothing failed.
        failures.rmdir()
    counts = {key: int(value) for key, value in _STATS.findall(done.stderr)}
    counts["status"] = done.returncode
    console.print_json(json.dumps(counts))
    if done.returncode:
        console.print(done.stderr[-6000:], markup=False)
    if file is not None:
        file.write_text(json.dumps({"seed": start, **counts}))
    raise SystemExit(1 if done.returncode else 0)
