"""An alert in words: one line each, whatever strangers wrote into it."""

from __future__ import annotations

from aggregator.actions.alert import Alert

#: Characters of what an alert says about itself, wherever it is repeated.
_LONGEST = 2000


def one_line(text: str, most: int = 200) -> str:
    """The text on one line, of what can be printed alone, cut to so many characters.

    What turns the direction of writing or moves a cursor is not printed.
    """
    # Only so much is looked at as can be left of it: it may be very long.
    plain = "".join(one if one.isprintable() else " " for one in text[: 4 * most])
    line = " ".join(plain.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def headline(alert: Alert) -> str:
    """What happened, in a line: FIRED: rule 1 of http://..."""
    rule = one_line(alert.rule, 60) or "a rule"
    rule = f"rule {rule}" if rule.isdecimal() else rule
    subject = one_line(alert.member, 160) or one_line(alert.entry, 60) or "an entry"
    return f"{alert.state.upper()}: {rule} of {subject}"


def facts(alert: Alert, *, most: int) -> dict[str, object]:
    """The alert as receivers of JSON are told it.

    Data and result of more than `most` bytes are left out, never cut: half a document is none.
    """
    result, data = alert.result.encode(), alert.data.encode()
    return {
        "id": alert.id,
        "state": alert.state,
        "rule": alert.rule[:_LONGEST],
        "trigger": alert.trigger[:_LONGEST] or None,
        "group": alert.group[:_LONGEST],
        "entry": alert.entry[:_LONGEST],
        "member": alert.member[:_LONGEST],
        "matching_rule": alert.matching_rule[:_LONGEST],
        "since": alert.since[:_LONGEST] or None,
        "at": alert.at[:_LONGEST],
        "attempt": alert.attempt,
        "result": alert.result if result and len(result) <= most else None,
        "result_bytes": len(result),
        "data": alert.data if data and len(data) <= most else None,
        "data_bytes": alert.data_bytes,
    }
