"""What the commands say to those who hold them wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.commands import run
from tests.service import RunningService


def test_https_towards_a_port_of_plain_http_is_told_so(
    services: Callable[[str], RunningService],
) -> None:
    # Nothing comes through to a store, so that one of them is enough.
    url = services("sqlite").group.replace("http:", "https:")
    ended = run("wsrf-query", "-a", "-s", url, "/")
    assert ended.status == 1
    assert ended.err == (
        f"error: {url} gave no reply: the server speaks plain http on this port, or at least no "
        "TLS; write http:// in its address\n"
    )


def test_without_a_command_the_help_is_shown_as_it_is_laid_out() -> None:
    shown, helped = run("aggregator"), run("aggregator", "--help")
    assert (shown.status, shown.out, helped.status) == (2, "", 0)
    assert shown.err == helped.out
    assert "\nCommands:\n" in shown.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "99999"], "--port: 99999 is not a whole number from 0 to 65535"),
        (["--host", "a b"], '--host: "a b" is not a host name'),
        (["--log-level", "loud"], '--log-level: "loud" is not one of debug, info'),
        (["--database", "mysql://x/y"], "--database: "),
        (["--tls-key", "/none"], "--tls-key: tls_key needs tls_cert, which is not set"),
    ],
)
def test_an_option_of_serve_is_named_once(arguments: list[str], told: str) -> None:
    ended = run("aggregator", "serve", *arguments)
    assert ended.status == 2
    (line,) = ended.err.splitlines()
    assert line.startswith(f"error: {told}")
    assert "option server" not in line


def test_a_backup_tells_wrong_usage_from_failure(tmp_path: Path) -> None:
    assert run("aggregator", "migrate", "--data-dir", str(tmp_path)).status == 0
    copy = str(tmp_path / "copy.db")
    assert run("aggregator", "backup", "--data-dir", str(tmp_path), copy).status == 0
    postgresql = "postgresql+psycopg://localhost/test"
    for arguments, told in (
        (["--data-dir", str(tmp_path), copy], "exists already; name a new file"),
        (["--database", postgresql, f"{copy}2"], "use pg_dump"),
        (["--data-dir", str(tmp_path / "none"), f"{copy}2"], "there is no database at"),
        (["--data-dir", str(tmp_path), str(tmp_path / "none" / "copy.db")], "can't be written"),
    ):
        ended = run("aggregator", "backup", *arguments)
        assert (ended.status, len(ended.err.splitlines())) == (2, 1), ended.err
        assert told in ended.err
    (tmp_path / "aggregator.db").write_bytes(b"no database" * 1000)
    ended = run("aggregator", "backup", "--data-dir", str(tmp_path), f"{copy}2")
    assert (ended.status, len(ended.err.splitlines())) == (1, 1), ended.err
    assert not Path(f"{copy}2").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [("soon", "give a number of seconds, or infinity"), ("1e12", "more than a century")],
)
def test_a_lifetime_is_seconds_or_infinity(given: str, told: str) -> None:
    ended = run("wsrf-set-termination-time", "-s", "http://127.0.0.1:1/x", given)
    assert (ended.status, len(ended.err.splitlines())) == (2, 1)
    assert told in ended.err
