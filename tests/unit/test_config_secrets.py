"""The password of a database's URL is told nowhere, least of all where the URL is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from aggregator.cli.main import main
from aggregator.config import ConfigurationError, load_settings, without_passwords
from aggregator.config.kinds import Refused, shown
from aggregator.config.places import broker_url, database_url
from aggregator.errors import ConfigError
from aggregator.store.engine import sqlite_path

#: URLs of which a part of the password would be taken for something else, or that are none.
WRONG = [
    "postgresql://user:s3cr@et@127.0.0.1/db",
    "postgresql://user:s3cr@/et@127.0.0.1/db",
    "postgresql://user:s3cr@et?s@127.0.0.1/db",
    "postgresql://us/er:s3cret@127.0.0.1/db",
    "postgresql://user:s3cret",
    "postgresql://user:s3cret/db",
    "postgresql://user:s3/et@h:s3cret/db",
    "postgresql://user:s3cret@[::1/db",
    "postgresql://user:s3cret@h:0/db",
    "postgresql://user:s3cret@h:65536/db",
    "postgresql+as-yncpg://user:s3cret@h/db",
    "postgresql+psycopg+s3cret://h/db",
    "user:s3cret@127.0.0.1/db",
    "user:s3cret@127.0.0.1://db",
    "mysql://user:s3cret@h/db",
    "sqlite://user:s3cret@h/db",
    "sqlite://s3cret.db",
]
RIGHT = [
    "postgresql://h",
    "postgresql:///db",
    "postgresql://user@h/db",
    "postgresql://us@er@h/db",
    "postgresql://user:s3?c/r:et@h:5432/db?application_name=a:b",
    "postgresql://user:s3%40cret@h/db%40x",
    "postgresql+psycopg://user:@[::1]:5432/db",
    "postgresql://h/db?user=name@realm&host=/run/postgresql",
    "sqlite:////srv/a@b:c.db",
]


@pytest.mark.parametrize("url", WRONG)
def test_an_url_that_is_wrong_is_not_repeated(url: str) -> None:
    with pytest.raises(Refused) as refused:
        database_url().read(url)
    for part in ("s3", "cret", "et@"):
        assert part not in str(refused.value)


@pytest.mark.parametrize("url", RIGHT)
def test_what_the_driver_understands_is_taken(url: str) -> None:
    assert database_url().read(url) == url
    parsed = make_url(url)
    assert "@" not in (parsed.host or "")
    assert parsed.password in (None, "", "s3?c/r:et", "s3@cret")


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:s3cr@et@h/v",
        "amqp://user:s3cret",
        "amqp://user:s3cret@h:0/",
        "amqp://user:s3cret@/",
        "http://user:s3cret@h/",
        "s3cret",
        7,
    ],
)
def test_nor_is_a_brokers(url: object) -> None:
    with pytest.raises(Refused) as refused:
        broker_url().read(url)
    for part in ("s3", "cret", "et@"):
        assert part not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["", "amqp://h", "amqps://user:s3cret@h:5671/v", "amqp://guest:guest@127.0.0.1:5672//"]
)
def test_a_brokers_url_is_taken(url: str) -> None:
    assert broker_url().read(url) == url


@pytest.mark.parametrize("url", ["postgresql://user:s3cret", "s3cret", "a b://user:s3cret@h"])
def test_nor_by_the_store_that_gets_it_unread(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        sqlite_path(url, data_dir=Path())
    assert "s3cret" not in str(refused.value)
    # Nor in a traceback of it.
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("setting", ["server.public_url", "collect.allow_networks", "log.level"])
def test_nor_where_it_stands_in_another_setting(setting: str) -> None:
    # So long that it is cut before the host.
    url = f"postgresql://user:s3cret{'t' * 60}@h/db"
    with pytest.raises(ConfigurationError) as refused:
        load_settings(None, environ={}, options={setting: url})
    assert '"postgresql://user:***@h/db"' in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_nor_as_an_argument_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["serve", "postgresql://user:s3cr@et@h/db"])
    assert ended.value.code == 2
    assert "(postgresql://user:***@h/db)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://grid.example.org:8080/x", "http://grid.example.org:8080/x"),
        ("http://user@h/", "http://user@h/"),
        ("a@b: c", "a@b: c"),
        ("at http://u:p@q@h/ now", "at http://u:***@h/ now"),
        ("//u/v:p@h", "//u/v:***@h"),
    ],
)
def test_only_passwords_are_hidden(text: str, wanted: str) -> None:
    assert without_passwords(text) == wanted
    assert shown(text) == f'"{wanted}"'


def test_a_password_that_is_a_parameter_is_not_shown() -> None:
    shown_ = without_passwords("postgresql://h/db?user=u&password=s3cret&sslmode=require")
    assert shown_ == "postgresql://h/db?user=u&password=***&sslmode=require"
