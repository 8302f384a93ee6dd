"""The action ``mail`` against a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from lxml import etree

from aggregator.config import Settings
from aggregator.config.actions import ActionSettings
from tests.integration.action_kit import FIRED, Ended, given_by, run
from tests.integration.smtp_kit import Mailbox, smtp_server

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


def send(box: Mailbox, folder: Path, stdin: bytes = FIRED, **more: object) -> Ended:
    return run("mail", given(box.port, **more), folder, stdin=stdin)


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
