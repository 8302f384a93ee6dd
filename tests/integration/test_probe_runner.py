"""What a source gets from a probe: its output, or an error that is fit for clients."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aggregator.collect.probe_runner import ProbeLimits, ProbeRunner
from aggregator.collect.probes import ProbeFolder
from aggregator.errors import CollectError

from .probe_kit import started

LIMITS = ProbeLimits(timeout=1.0, max_output=1000, memory_limit=64 * 2**20)


def run(folder: Path, name: str, **options: object) -> bytes:
    """Run a probe of the folder; `options` are the runner's."""

    async def once() -> bytes:
        async with started() as client:
            runner = ProbeRunner(client, ProbeFolder(folder), limits=LIMITS, **options)
            return await runner(
                name, address="http://h:1/x", epr=b"<EPR/>", config=b"<C/>", arguments=("more",)
            )

    return asyncio.run(once())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "probes"
    made.mkdir(mode=0o755)
    return made


def write(folder: Path, script: str) -> None:
    (folder / "it").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "it").chmod(0o755)


def test_a_probe_gets_address_and_registration(folder: Path) -> None:
    write(folder, 'echo "$0 $@"; cat; echo "$SITE"')
    told = f"{folder}/it http://h:1/x more\n<EPR/>\n<C/>\nx\n"
    assert run(folder, "it", extra_env={"SITE": "x"}).decode() == told


def test_the_registration_may_be_wrapped(folder: Path) -> None:
    write(folder, "cat")
    wrapped = b"<inputDocument><EPR/><C/></inputDocument>\n"
    assert run(folder, "it", wrapped=True) == wrapped


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("echo /secret/path >&2; exit 3", "exit", "ended with exit code 3"),
        ("kill -9 $$", "signal", "was ended by signal 9"),
        ("sleep 60", "timeout", "took longer than 1 s and was ended"),
        ("yes", "too-large", "printed more than 1000 bytes and was ended"),
        ("kill -9 $PPID; sleep 60", "lost", "was lost with the process that watched it"),
    ],
)
def test_a_probe_that_fails_is_an_error_without_its_stderr(
    folder: Path, script: str, code: str, told: str
) -> None:
    write(folder, script)
    with pytest.raises(CollectError) as caught:
        run(folder, "it")
    assert caught.value.code == code
    assert caught.value.message == f"the probe 'it' {told}"
    assert caught.value.detail == ("/secret/path\n" if code == "exit" else caught.value.detail)


def test_a_probe_that_can_t_start_is_an_error(folder: Path) -> None:
    (folder / "it").write_text("#!/no/such/interpreter\n")
    (folder / "it").chmod(0o755)
    with pytest.raises(CollectError, match="could not be started: No such file") as caught:
        run(folder, "it")
    assert caught.value.code == "spawn-failed"


def test_a_probe_that_is_gone_since_the_registration_is_an_error(folder: Path) -> None:
    with pytest.raises(CollectError, match="'it' does not exist") as caught:
        run(folder, "it")
    assert caught.value.code == "refused"
