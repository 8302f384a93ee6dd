"""Logins at members: who is told, and who never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.collect.logins import logins_of

TEXT = """
machine camera.example.org login operator password secret
machine 192.0.2.7:8080 login eight password "with space"
machine [2001:db8::1] login six password x
default login anybody password everything
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "logins"
    path.write_text(TEXT)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("http://camera.example.org/onvif/events", "operator"),
        ("http://camera.example.org:80/", "operator"),
        ("https://CAMERA.example.org/", "operator"),
        ("http://192.0.2.7:8080/x", "eight"),
        ("http://[2001:db8::1]/x", "six"),
    ],
)
def test_whose_host_and_port_are_named_is_told(file: Path, url: str, user: str) -> None:
    login = logins_of(str(file))(url)
    assert login is not None
    assert login.user == user


@pytest.mark.parametrize(
    "url",
    [
        "http://camera.example.org:8080/",
        "http://camera.example.org:443/",
        "http://camera.example.org.evil.example/",
        "http://evil.example/camera.example.org",
        "http://camera.example.org@evil.example/",
        "http://192.0.2.7/",
        "http://[2001:db8::1]:8080/",
        "http://other.example.org/",
        "http://camera.example.org:x/",
        "http://[/",
        "",
    ],
)
def test_nobody_else_is(file: Path, url: str) -> None:
    assert logins_of(str(file))(url) is None


def test_without_a_file_nobody_is() -> None:
    assert logins_of("")("http://camera.example.org/") is None


def test_a_password_may_hold_spaces(file: Path) -> None:
    login = logins_of(str(file))("http://192.0.2.7:8080/")
    assert login == ("eight", "with space")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ValueError, match="others may read or write"):
        logins_of(str(file))


def test_what_is_wrong_in_it_is_told_without_a_password(file: Path) -> None:
    file.write_text("machine a login b\nsecret\n")
    with pytest.raises(ValueError, match="no netrc file: look at line") as refused:
        logins_of(str(file))
    assert "secret" not in str(refused.value)


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read: No such file"):
        logins_of(str(tmp_path / "none"))
