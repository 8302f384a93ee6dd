"""The mail that an alert becomes: headers that nobody's XML can add to, words for who is woken."""

from __future__ import annotations

import email.policy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import localtime

from aggregator.actions.alert import Alert
from aggregator.actions.wording import headline, one_line
from aggregator.wire.times import SECOND, parse_datetime

#: Seven bits, which every server takes.
_POLICY = email.policy.SMTP.clone(cte_type="7bit")
#: Characters and lines of the result that are shown; all of it is attached.
_RESULT, _RESULT_LINES = 2000, 40
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom, to whom, what subjects begin with, and how many bytes are attached at most."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    most: int


def message_of(alert: Alert, envelope: Envelope) -> EmailMessage:
    """The message; its Message-ID is the same at every attempt."""
    message = EmailMessage(_POLICY)
    message["Subject"] = f"{envelope.subject} {headline(alert)}".strip()
    message["From"] = envelope.sender
    message["To"] = ", ".join(envelope.recipients)
    message["Date"] = localtime()
    # Neither answers from holidays nor other programs' (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    _thread(message, alert, envelope.sender.rpartition("@")[2])
    data = alert.data.encode()
    is_attached = 0 < len(data) <= envelope.most
    message.set_content("\n".join(_body(alert, is_attached=is_attached)) + "\n")
    if is_attached:
        message.add_attachment(
            _DECLARATION + data,
            maintype="text",
            subtype="xml",
            params={"charset": "utf-8"},
            filename="data.xml",
        )
    return message


def _thread(message: EmailMessage, alert: Alert, domain: str) -> None:
    """Have all messages of the time in which the condition held in one thread.

    Its root is a message that was never sent, which readers of mail make up for (RFC 5256, section
    3, ``REFERENCES``): the first that fires knows not that it is the first.
    """
    held = (alert.group, alert.entry, alert.rule, alert.trigger, alert.since)
    root = _message_id("alert", "\0".join(held), domain)
    fired = _message_id("fired", alert.id, domain)
    message["Message-ID"] = _message_id(alert.state, alert.id, domain)
    if alert.state == "fired":
        message["References"] = root
    else:
        message["In-Reply-To"] = fired
        message["References"] = f"{root} {fired}"


def _message_id(kind: str, name: str, domain: str) -> str:
    return f"<{kind}.{hashlib.sha256(name.encode()).hexdigest()[:32]}@{domain}>"


def _body(alert: Alert, *, is_attached: bool) -> Iterator[str]:
    """The lines of the text. All of an alert that stands in it is one line each."""
    yield headline(alert)
    yield ""
    since, at = one_line(alert.since, 40), one_line(alert.at, 40)
    if alert.state == "fired":
        lasted = f", for {length}" if (length := _lasted(alert)) else ""
        yield f"The condition has been true since {since or 'now'}{lasted}."
    else:
        lasted = f"; it was for {length}" if (length := _lasted(alert)) else ""
        yield f"The condition is no longer true{lasted}."
    yield ""
    named = {
        "Member": one_line(alert.member, 1000),
        "Condition": one_line(alert.matching_rule, 1000),
        "True since": since,
        "Fired at" if alert.state == "fired" else "Recovered at": at,
        "Group": one_line(alert.group),
        "Entry": one_line(alert.entry),
        "Rule": one_line(alert.rule),
        "Trigger": one_line(alert.trigger),
        "Alert": one_line(alert.id),
    }
    width = max(map(len, named)) + 1
    yield from (f"{name + ':':<{width}} {word}" for name, word in named.items() if word)
    if alert.result:
        yield from ("", "What the condition found:", "")
        yield from _shown(alert.result)
    if size := alert.data_bytes:
        yield ""
        yield (
            f"The data of the member is attached ({size} bytes)."
            if is_attached
            else f"The data of the member is not attached: {size} bytes, see actions.max_data."
        )


def _shown(result: str) -> Iterator[str]:
    """The first lines of the result, indented: none of them passes for one of ours."""
    lines = [one_line(line, _RESULT) for line in result[:_RESULT].splitlines()]
    yield from (f"    {line}" for line in lines[:_RESULT_LINES] if line)
    if len(result) > _RESULT or len(lines) > _RESULT_LINES:
        yield "    …"


def _lasted(alert: Alert) -> str:
    """For how long the condition has been true, or was; empty where that is not known."""
    try:
        since, at = parse_datetime(alert.since), parse_datetime(alert.at)
    except ValueError:
        return ""
    if since is None or at is None or at < since:
        return ""
    seconds = (at - since) // SECOND
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if (number := seconds // length) >= 2 or (length == 1 and number):
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return ""
