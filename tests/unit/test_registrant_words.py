"""What the user reads: MDS4's words, warnings in measure, the file of EPRs."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from aggregator.client.epr_file import load_epr
from aggregator.errors import ConfigError
from aggregator.registrant.kept import KeptRegistration
from aggregator.registrant.notes import is_loopback, loopback_notes
from aggregator.registrant.pidfile import pidfile
from aggregator.registrant.words import Words
from aggregator.wire.epr import EndpointReference
from tests.unit.registrant_fakes import HandClock, MemoryGroup, registration


def console(*, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(),
        soft_wrap=True,
        highlight=False,
        markup=False,
        force_terminal=terminal,
        width=80,
    )


def said(one: Console) -> list[str]:
    assert isinstance(one.file, io.StringIO)
    return one.file.getvalue().splitlines()


@pytest.fixture
def kept() -> KeptRegistration:
    return MemoryGroup(HandClock()).keep(registration(interval=600))


def test_the_words_are_those_of_mds4(kept: KeptRegistration) -> None:
    out, err = console(), console()
    words = Words(1, out=out, err=err)
    words.bad_round(kept, "connection refused", retry=3)
    words.good_round(kept, "added")
    words.good_round(kept, "renewed")
    words.ended(kept, "")
    words.close()
    assert said(out) == [
        "Successfully registered http://m/1 to servicegroup at http://g/",
        "Removed http://m/1 from servicegroup at http://g/",
    ]
    assert said(err) == [
        "Warning: Could not register http://m/1 to servicegroup at http://g/ -- check the URL and "
        "that the remote service is up.  Remote exception was connection refused.  "
        "It is tried again in 3 s."
    ]


def test_a_group_that_stays_away_is_told_once_an_interval(kept: KeptRegistration) -> None:
    err = console()
    words = Words(1, out=console(), err=err)
    for _ in range(10):
        words.bad_round(kept, "connection refused", retry=None)
    assert len(said(err)) == 1


def test_a_terminal_gets_a_bar_until_the_first_round_is_over(kept: KeptRegistration) -> None:
    out = console(terminal=True)
    words = Words(1, out=out, err=console())
    kept.refresh()
    words.good_round(kept, "added")
    words.first_round_over()
    text = "\n".join(said(out))
    assert "Registering" in text
    assert "1/1" in text
    assert "Successfully registered http://m/1" in text


def test_a_pipe_gets_no_bar(kept: KeptRegistration) -> None:
    out = console()
    words = Words(1, out=out, err=console())
    words.first_round_over()
    words.close()
    assert said(out) == []


def test_the_file_of_eprs_follows_the_entries(kept: KeptRegistration, tmp_path: Path) -> None:
    file = tmp_path / "eprs.xml"
    words = Words(1, epr_file=str(file), out=console(), err=console())
    kept.refresh()
    words.good_round(kept, "added")
    words.first_round_over()
    assert load_epr(str(file)).address == "entry:1"
    kept.entry = EndpointReference("entry:2")
    words.good_round(kept, "added")
    words.close()
    assert load_epr(str(file)).address == "entry:2"
    words.ended(kept, "")
    words.close()
    with pytest.raises(ConfigError, match="no Address"):
        load_epr(str(file))
    assert os.listdir(tmp_path) == ["eprs.xml"]


def test_a_file_of_eprs_that_cannot_be_written_is_a_warning(
    kept: KeptRegistration, tmp_path: Path
) -> None:
    err = console()
    words = Words(1, epr_file=str(tmp_path / "no" / "eprs.xml"), out=console(), err=err)
    words.first_round_over()
    assert said(err) == [
        f"Warning: the EPRs can't be written to {tmp_path}/no/eprs.xml: No such file or directory"
    ]


def test_the_pidfile_lives_as_long_as_we(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with pidfile(str(file)):
        assert int(file.read_text()) == os.getpid()
    assert not file.exists()


@pytest.mark.parametrize("left", ["", "no number", "-1", "999999999", "1e9"])
def test_a_pidfile_that_nobody_holds_is_taken(tmp_path: Path, left: str) -> None:
    file = tmp_path / "pid"
    file.write_text(left)
    with pidfile(str(file)):
        assert int(file.read_text()) == os.getpid()


def test_a_pidfile_of_a_running_process_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(str(os.getppid()))
    with (
        pytest.raises(ConfigError, match=f"belongs to process {os.getppid()}, which is running"),
        pidfile(str(file)),
    ):
        pytest.fail("the file was taken")
    assert file.read_text() == str(os.getppid())


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("http://localhost:8080/x", True),
        ("https://127.8.0.1/x", True),
        ("http://[::1]:9080/x", True),
        ("http://localhost.example.org/x", False),
        ("http://192.0.2.1/x", False),
        ("urn:uuid:1", False),
        ("http://[broken/x", False),
    ],
)
def test_loopback_is_told_by_the_looks(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_members_that_only_their_own_host_reaches_are_noted() -> None:
    here = registration(group="http://127.0.0.1:8080/")
    away = registration(group="http://index.example.org/")
    assert list(loopback_notes([here, away])) == []
