"""The settings of actions: what is refused, and what each action is told of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aggregator.cli.check import check
from aggregator.config import ConfigurationError, Settings, load_settings
from aggregator.config.actions import LOG_FILE, settings_for
from aggregator.config.secrets import read_secret

MAIL = {"mail_server": "mail.example.org", "mail_from": "a@example.org", "mail_to": ["b@c.org"]}


def load(folder: Path, more: str = "", **keys: Any) -> Settings:
    file = folder / "service.toml"
    # As TOML has them, texts, numbers and lists of texts are as JSON has them.
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    file.write_text(f"[actions]\n{lines}{more}")
    return load_settings(file, environ={}, options={})


def problem(folder: Path, **keys: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(folder, **keys)
    (found,) = refused.value.problems
    return str(found).partition("service.toml:")[2]


def secret(folder: Path, mode: int = 0o600, text: str = "s3cret\n") -> str:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in MAIL.items() if name != key}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = secret(tmp_path)
    assert problem(tmp_path, **without("mail_to")) == (
        "2: actions.mail_server: mail_server needs mail_to, which is not set"
    )
    assert "mail_server needs mail_from" in problem(tmp_path, **without("mail_from"))
    assert "mail_to needs mail_server" in problem(tmp_path, **without("mail_server"))
    assert "mail_user needs mail_password_file" in problem(tmp_path, **MAIL, mail_user="me")
    assert "mail_password_file needs mail_user" in problem(
        tmp_path, **MAIL, mail_password_file=file
    )
    assert "webhook_token_file needs webhook_url" in problem(tmp_path, webhook_token_file=file)


def test_secrets_are_not_sent_unencrypted(tmp_path: Path) -> None:
    login = {"mail_user": "me", "mail_password_file": secret(tmp_path), "mail_security": "none"}
    assert "a password is not sent over the network unencrypted" in problem(
        tmp_path, **MAIL, **login
    )
    assert load(tmp_path, **{**MAIL, **login, "mail_server": "localhost"}).actions.mail_user
    token = {"webhook_token_file": secret(tmp_path)}
    assert "a token is not sent" in problem(
        tmp_path, webhook_url="http://hook.example.org", **token
    )
    proxied = {"webhook_url": "http://localhost", "webhook_proxy": "http://proxy.example.org"}
    assert "a token is not sent" in problem(tmp_path, **proxied, **token)
    for url in ("https://hook.example.org", "http://127.0.0.1:8080/x", "http://[::1]/"):
        assert load(tmp_path, webhook_url=url, **token).actions.webhook_url == url


@pytest.mark.parametrize(
    ("mode", "text", "told"),
    [
        (0o640, "s3cret", "others may read or write"),
        (0o604, "s3cret", "others may read or write"),
        (0o600, "", "holds no single line"),
        (0o600, "s3cret\nsecond", "holds no single line"),
        (0o600, "s3cret" * 1000, "holds no single line"),
        (0o600, "s3cret\0", "holds no single line"),
    ],
)
def test_a_secret_is_one_line_of_a_file_of_its_owners(
    mode: int, text: str, told: str, tmp_path: Path
) -> None:
    name = secret(tmp_path, mode, text)
    said = problem(tmp_path, webhook_url="https://h", webhook_token_file=name)
    assert told in said
    assert "s3cret" not in said


def test_what_is_no_file_holds_no_secret(tmp_path: Path) -> None:
    for name in (tmp_path / "none", Path("/dev/null"), tmp_path):
        with pytest.raises(ValueError, match=r"can't be read|others may|is no file"):
            read_secret(str(name))
    latin = tmp_path / "latin"
    latin.write_bytes(b"\xff")
    latin.chmod(0o600)
    with pytest.raises(ValueError, match="no text"):
        read_secret(str(latin))
    assert read_secret(secret(tmp_path, text=" with spaces \r\n")) == " with spaces "


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("mail_to", [one])
            for one in ("a", "a@b c", "a@b,c@d", "A <a@b>", "a@b\n", "a@-b", "@b")
        ),
        ("mail_from", "a@b\r\nBcc: c@d"),
        ("mail_subject", "a\nb"),
        ("mail_user", "a b"),
        ("mail_server", "http://h"),
        ("mail_security", "ssl"),
        ("webhook_format", "yaml"),
        ("event_id", 1001),
        ("event_id", "1112"),
        ("event_id", True),
        ("max_data", "9MiB"),
    ],
)
def test_what_can_not_be_meant_is_refused(key: str, value: object, tmp_path: Path) -> None:
    assert f"actions.{key}" in problem(tmp_path, **{key: value})


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://h", "https://", "https://u:s3cret@h/", "https://h/#s3cret", "//h/s3cret"),
        *("https://h:0/s3cret", "https://h/ s3cret", "https://h:x/s3cret", 'https://h/"s3cret'),
    ],
)
def test_an_address_that_may_be_a_secret_is_not_repeated(url: str, tmp_path: Path) -> None:
    said = problem(tmp_path, webhook_url=url)
    assert "not an address such as" in said
    assert "s3cret" not in said


def test_nor_where_settings_are_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, webhook_url="https://hooks.example.org/s3cret?key=k3y")
    assert "s3cret" not in repr(settings)
    assert settings.actions.webhook_url.endswith("/s3cret?key=k3y")


def test_check_names_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text('[actions]\nmail_server = "mail.example.org"\nmail_from = "a@b"\n')
    done = CliRunner().invoke(check, [str(file)], env={})
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"{file}:2: actions.mail_server: mail_server needs mail_to, which is not set\n"
    )


def test_variables_of_actions_and_probes_are_no_settings() -> None:
    given = {"AGGREGATOR_ACTION_SETTINGS": "{}", "AGGREGATOR_ACTION_ID": "x"}
    given |= {"AGGREGATOR_PROBE_ID": "1", "AGGREGATOR_PROBE_CHECK": "[]"}
    assert load_settings(None, environ=given, options={}).groups
    with pytest.raises(ConfigurationError, match="AGGREGATOR_ACTIONS_SETTINGS"):
        load_settings(None, environ={"AGGREGATOR_ACTIONS_SETTINGS": "{}"}, options={})


def test_settings_in_the_environment() -> None:
    environ = {
        "AGGREGATOR_ACTIONS_MAIL_SERVER": "mail.example.org",
        "AGGREGATOR_ACTIONS_MAIL_FROM": "a@example.org",
        "AGGREGATOR_ACTIONS_MAIL_TO": "b@example.org, c@example.org",
        "AGGREGATOR_ACTIONS_EVENT_ID": "3001",
    }
    actions = load_settings(None, environ=environ, options={}).actions
    assert actions.mail_to == ("b@example.org", "c@example.org")
    assert actions.event_id == 3001


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_port_is_that_of_the_encryption(security: str, port: int, tmp_path: Path) -> None:
    settings = load(tmp_path, **MAIL, mail_security=security)
    told = settings_for(settings, "mail")
    assert (told["mail_port"], told["mail_to"]) == (port, ["b@c.org"])
    settings = load(tmp_path, **MAIL, mail_security=security, mail_port=2525)
    assert settings_for(settings, "mail")["mail_port"] == 2525


def test_each_action_is_told_its_own(tmp_path: Path) -> None:
    file = secret(tmp_path)
    events = '[events]\nbroker = "amqp://user:s3cret@h//"\nsys_name = "site"\ndurable = true\n'
    settings = load(tmp_path, events, **MAIL, webhook_url="https://h/k3y", webhook_token_file=file)
    told = {
        name: json.dumps(settings_for(settings, name))
        for name in ("log", "trigger-action-default", "mail", "webhook", "event", "of-the-site")
    }
    assert told["log"] == told["trigger-action-default"]
    assert json.loads(told["log"]) == {"log_file": str(settings.server.data_dir / LOG_FILE)}
    assert told["of-the-site"] == "{}"
    assert [name for name, text in told.items() if "s3cret" in text] == ["event"]
    assert [name for name, text in told.items() if "k3y" in text] == ["webhook"]
    assert [name for name, text in told.items() if "example.org" in text] == ["mail"]
    assert json.loads(told["event"])["durable"] is True


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("", "sqlite:///{data}/aggregator.db"),
        ("sqlite:////srv/a.db", "sqlite:////srv/a.db"),
        ("sqlite+pysqlite:///a.db", "sqlite:///{here}/a.db"),
        ("postgresql+psycopg://u@h/db?x=/y", "postgresql://u@h/db?x=/y"),
        ("postgresql:///db", "postgresql:///db"),
    ],
)
def test_without_a_broker_the_store_is_the_bus(
    url: str, broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(tmp_path, f'[store]\nurl = "{url}"\n[server]\ndata_dir = "data"\n')
    wanted = broker.format(data=tmp_path / "data", here=tmp_path)
    assert settings_for(settings, "event")["broker"] == wanted
