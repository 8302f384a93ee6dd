"""What an action reads on its standard input (MDS4, trigger service: input to action scripts)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from aggregator.wire.namespaces import TRIGGER_MORE
from aggregator.wire.times import format_datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """What is told of a firing or of its end.

    ``rule`` is a name for people, ``trigger`` the id of the trigger that it is of, if of one.
    ``result`` is what the expression selected, None where that is not wanted or too long, ``data``
    the children of AggregatorData, None where they are not wanted.
    """

    kind: str
    rule: str
    trigger: str
    group: str
    entry: str
    member: str
    expression: str
    since: int | None
    at: int
    epr: bytes
    config: bytes
    data: tuple[bytes, ...] | None
    result: str | None


def action_input(alert: Alert, *, form: str) -> bytes:
    """The document for an alert, but for its number and attempt, which `numbered` adds.

    `form` is ``actionInput``, as in 4.0.5 and later, or ``fire``, as in 4.0.0, which knows no
    result of the expression.
    """
    data = b"".join(alert.data or ())
    parts = [b"<message>%s</message>" % data] if form == "fire" else []
    if form != "fire":
        if alert.data is not None:
            parts.append(b"<inputMessage>%s</inputMessage>" % data)
        if alert.result is not None:
            parts.append(b"<xpathResult>%s</xpathResult>" % alert.result.encode())
    parts += [alert.epr, alert.config, _alert(alert)]
    root = form.encode()
    return b"<%s>%s</%s>\n" % (root, b"".join(parts), root)


_UNNUMBERED = b'<alert xmlns="%s" state=' % TRIGGER_MORE.encode()


def numbered(document: bytes, *, number: str, attempt: int) -> bytes:
    """The document of an alert with what tells one firing, and one attempt at it, from another."""
    before, found, after = document.rpartition(_UNNUMBERED)
    given = f'<alert xmlns="{TRIGGER_MORE}" id="{number}" attempt="{attempt}" state='
    return before + given.encode() + after if found else document


def _alert(alert: Alert) -> bytes:
    told = {
        "state": alert.kind,
        "rule": alert.rule,
        "trigger": alert.trigger,
        "group": alert.group,
        "entry": alert.entry,
        "member": alert.member,
        "matchingRule": alert.expression,
        "since": "" if alert.since is None else format_datetime(alert.since),
        "at": format_datetime(alert.at),
    }
    written = " ".join(f"{name}={quoteattr(value)}" for name, value in told.items() if value)
    return f'<alert xmlns="{TRIGGER_MORE}" {written}/>'.encode()
