"""The action ``mail`` against a real SMTP server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from lxml import etree

from aggregator.config import Settings
from aggregator.config.actions import ActionSettings
from tests.integration.action_kit import FIRE, FIRED, RECOVERED, Ended, given_by, run
from tests.integration.authority import Authority
from tests.integration.smtp_kit import Mailbox, smtp_server
from tests.service import free_port

TO = ("oncall@example.org", "archive@example.org")


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """A server without TLS that asks for no password."""
    with smtp_server(Mailbox()) as made:
        yield made


def given(port: int, **more: object) -> Mapping[str, object]:
    """Settings of an action that reach a server of the test."""
    wanted: dict[str, object] = {
        "mail_server": "127.0.0.1",
        "mail_port": port,
        "mail_security": "none",
        "mail_from": "mds@grid.example.org",
        "mail_to": TO,
        **more,
    }
    return given_by(Settings(actions=ActionSettings(**wanted)), "mail")  # type: ignore[arg-type]


def send(
    box: Mailbox, folder: Path, stdin: bytes = FIRED, *, within: float = 60, **more: object
) -> Ended:
    return run("mail", given(box.port, **more), folder, stdin=stdin, within=within)


def test_an_alert_is_mailed_with_what_people_on_call_need(box: Mailbox, tmp_path: Path) -> None:
    done = send(box, tmp_path, mail_subject="[grid]")
    assert dict(done.published.attrib) == {"to": "2", "refused": "0"}
    (message,) = box.messages
    assert box.envelopes == [("mds@grid.example.org", list(TO), False, False)]
    member = "https://ce1.example.org:8443/wsrf/services/HostService"
    assert message["Subject"] == f"[grid] FIRED: rule 1 of {member}"
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message["From"], message["To"]) == ("mds@grid.example.org", ", ".join(TO))
    text = message.get_body().get_content()
    for told in (
        "true since 2026-01-31T11:50:00.000Z, for 10 minutes.",
        "//glue:ProcessorLoad[@glue:Last1Min > 900]",
        member,
        "DefaultTriggerService",
        'Last1Min="980"',
    ):
        assert told in text
    (attached,) = message.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("text/xml", "data.xml")
    data = etree.fromstring(attached.get_content().encode())
    assert data.find("{*}Host/{*}ProcessorLoad") is not None


def test_the_end_of_an_alert_is_in_its_thread(box: Mailbox, tmp_path: Path) -> None:
    for stdin in (FIRED, FIRED.replace(b'attempt="1"', b'attempt="2"'), RECOVERED):
        assert send(box, tmp_path, stdin).status == 0
    first, again, ended = box.messages
    assert first["Message-ID"] == again["Message-ID"] != ended["Message-ID"]
    assert ended["Subject"].startswith("[mds-aggregator] RECOVERED: rule 1 of https://ce1")
    assert ended["In-Reply-To"] == first["Message-ID"]
    assert ended["References"].split() == [first["References"], first["Message-ID"]]
    assert "no longer true; it was for 30 minutes." in ended.get_body().get_content()


def test_alerts_of_other_rules_are_in_threads_of_their_own(box: Mailbox, tmp_path: Path) -> None:
    for stdin in (FIRED, FIRE):
        assert send(box, tmp_path, stdin).status == 0
    first, other = box.messages
    assert first["References"] != other["References"]
    assert other["Subject"].startswith("[mds-aggregator] FIRED: site down of http://ce1")


def test_nothing_that_strangers_wrote_becomes_a_header(box: Mailbox, tmp_path: Path) -> None:
    hostile = "&#13;&#10;Bcc: all@example.org&#10;&#10;&#x202e;html&#x85;&#x2028;x"
    stdin = FIRED.replace(b'rule="1"', f'rule="{hostile}"'.encode())
    stdin = stdin.replace(
        b"https://ce1.example.org:8443", b"http://x/&#10;From: you@example.org&#10;"
    )
    assert send(box, tmp_path, stdin).status == 0
    (message,) = box.messages
    assert message["Bcc"] is None
    assert message.get_all("From") == ["mds@grid.example.org"]
    assert box.envelopes[0][1] == list(TO)
    subject = str(message["Subject"])
    assert subject.isprintable()
    assert all(len(line) <= 78 + 2 for line in box.raw[0].partition(b"\r\n\r\n")[0].splitlines())


def test_what_is_larger_than_wanted_is_told_and_not_attached(box: Mailbox, tmp_path: Path) -> None:
    large = b"<Host>" + b"x" * 2000 + b"\xe2\x82\xac</Host>"
    stdin = FIRED.replace(b"<inputMessage>", b"<inputMessage>" + large)
    assert send(box, tmp_path, stdin, max_data=1000).status == 0
    (message,) = box.messages
    assert list(message.iter_attachments()) == []
    assert "not attached: 2" in message.get_body().get_content()
    assert all(byte < 128 for byte in box.raw[0])


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_is_who_it_says_is_shown_the_password(security: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("mail", address="127.0.0.1"))
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    password.chmod(0o600)
    box = Mailbox(user="mds", password="open sesame")
    secured = {"mail_security": security, "mail_ca_file": authority.file, "mail_user": "mds"}
    with smtp_server(box, context=context, starttls=security == "starttls"):
        done = send(box, tmp_path, mail_password_file=str(password), **secured)
        assert done.published.get("to") == "2"
        assert [one[2:] for one in box.envelopes] == [(True, True)]
        password.write_text("wrong\n")
        done = send(box, tmp_path, mail_password_file=str(password), **secured)
        assert (done.status, done.out) == (1, b"")
        assert "answered 535" in done.err
        assert "wrong" not in done.err
        password.chmod(0o640)
        done = send(box, tmp_path, mail_password_file=str(password), **secured)
        assert done.status == 78
        assert "mail_password_file: others may read" in done.err
    assert len(box.messages) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_pretends_is_told_nothing(security: str, tmp_path: Path) -> None:
    authority, strangers = Authority(tmp_path), Authority(tmp_path, "strangers")
    context = strangers.server_context(strangers.issue("mail", address="127.0.0.1"))
    with smtp_server(Mailbox(), context=context, starttls=security == "starttls") as box:
        done = send(box, tmp_path, mail_security=security, mail_ca_file=authority.file)
    assert (done.status, done.out) == (75, b"")
    assert "certificate verify failed" in done.err
    assert box.messages == []


def test_a_server_that_offers_no_encryption_gets_no_mail(box: Mailbox, tmp_path: Path) -> None:
    done = send(box, tmp_path, mail_security="starttls")
    assert done.status == 75
    assert "offers too little for actions.mail_security" in done.err
    assert box.messages == []


@pytest.mark.parametrize(
    ("answer", "status"), [("451 4.3.0 later", 75), ("554 5.7.1 no\x1b[2J", 1)]
)
def test_the_servers_answer_to_a_message_says_whether_to_try_again(
    box: Mailbox, tmp_path: Path, answer: str, status: int
) -> None:
    box.data = answer
    done = send(box, tmp_path)
    assert (done.status, done.out) == (status, b"")
    assert done.err.count("\n") == 1
    assert f"answered {answer[:3]} " in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    ("answers", "status", "published"),
    [
        (("250 OK", "550 unknown"), 0, {"to": "1", "refused": "1"}),
        (("450 busy", "250 OK"), 0, {"to": "1", "refused": "1"}),
        (("450 busy", "550 unknown"), 75, None),
        (("550 unknown", "551 moved"), 1, None),
    ],
)
def test_a_mail_is_sent_where_one_recipient_is_taken(
    box: Mailbox, tmp_path: Path, answers: tuple[str, str], status: int, published: object
) -> None:
    box.answers = dict(zip(TO, answers, strict=True))
    done = send(box, tmp_path)
    assert done.status == status
    assert done.err != ""
    if published:
        assert dict(done.published.attrib) == published


def test_a_connection_that_breaks_is_tried_again_under_the_same_id(
    box: Mailbox, tmp_path: Path
) -> None:
    box.hang_up = True
    assert send(box, tmp_path).status == 75
    box.hang_up = False
    assert send(box, tmp_path).status == 0
    # It had been taken; whoever reads mail knows it by its id.
    first, again = box.messages
    assert first["Message-ID"] == again["Message-ID"]


def test_a_server_that_says_no_good_bye_has_taken_the_mail(box: Mailbox, tmp_path: Path) -> None:
    box.lingers = 30.0
    assert send(box, tmp_path, within=15).published.get("to") == "2"
    assert len(box.messages) == 1


def test_nobody_there_and_nobody_who_speaks_are_tried_again(tmp_path: Path) -> None:
    done = run("mail", given(free_port()), tmp_path)
    assert done.status == 75
    assert "Connection refused" in done.err
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = run("mail", given(silent.getsockname()[1], mail_timeout=1.0), tmp_path, within=20)
    assert done.status == 75
    assert "127.0.0.1" in done.err


def test_a_server_that_never_comes_to_an_end_is_tried_again(tmp_path: Path) -> None:
    """It always says something, so that no single wait is long."""

    def talk(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            with client:
                while True:
                    client.sendall(b"220-and\r\n")
                    time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        done = run("mail", given(port, mail_timeout=1.0), tmp_path, within=15)
        thread.join(10)
    assert (done.status, thread.is_alive()) == (75, False)
    assert "not done within 1 s" in done.err


@pytest.mark.parametrize("missing", ["mail_server", "mail_from", "mail_to"])
def test_what_is_not_configured_is_named(missing: str, tmp_path: Path) -> None:
    values = {**given(25), missing: []} if missing == "mail_to" else {**given(25), missing: ""}
    done = run("mail", values, tmp_path)
    assert (done.status, done.out, done.err) == (78, b"", f"set actions.{missing}\n")
