"""What actions say of an alert, whatever strangers wrote into it."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.actions.alert import Alert, read_alert
from aggregator.actions.log import line_of
from aggregator.actions.message import Envelope, message_of
from aggregator.actions.running import outcome
from aggregator.actions.webhook import Answer
from aggregator.actions.wording import facts, headline, one_line
from aggregator.errors import AlertUnreadable
from aggregator.wire.parse import parse
from tests.sources_read import ROOT

SAMPLES = ROOT / "tests" / "samples" / "actions"
FIRED = read_alert((SAMPLES / "fired.xml").read_bytes())
ENVELOPE = Envelope("mds@example.org", ("oncall@example.org",), "[mds]", 2**16)
#: What lies in an alert where strangers chose it, or could have.
STRANGE = ("rule", "trigger", "group", "entry", "member", "matching_rule", "since", "at", "result")
texts = st.dictionaries(
    st.sampled_from(STRANGE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)


def test_both_forms_of_the_input_are_read() -> None:
    assert (FIRED.state, FIRED.attempt, FIRED.trigger) == ("fired", 1, "")
    assert FIRED.data.startswith("<inputMessage>")
    assert FIRED.result.startswith("<glue:ProcessorLoad ")
    older = read_alert((SAMPLES / "fire.xml").read_bytes())
    assert older.data.startswith("<message>")
    assert (older.rule, older.attempt, older.result) == ("site down", 3, "")


def test_what_a_rule_leaves_out_is_empty() -> None:
    ended = read_alert((SAMPLES / "recovered.xml").read_bytes())
    assert (ended.state, ended.result) == ("recovered", "")
    assert ended.key == f"{FIRED.id}.recovered"
    assert FIRED.key == FIRED.id


def test_a_result_that_is_text_is_text() -> None:
    document = (SAMPLES / "fired.xml").read_bytes()
    start, end = document.index(b"<xpathResult>"), document.index(b"</xpathResult>")
    scalar = document[:start] + b"<xpathResult>\n 4 &lt; 5 " + document[end:]
    assert read_alert(scalar).result == "4 < 5"


@given(texts)
def test_whatever_stands_in_it_a_mail_has_its_headers_alone(strange: dict[str, str]) -> None:
    written = message_of(replace(FIRED, **strange), ENVELOPE).as_bytes()
    assert written.isascii()
    message = message_from_bytes(written, policy=policy.default)
    named = {"Subject", "From", "To", "Date", "Auto-Submitted", "Message-ID", "References"}
    assert set(message) - named <= {"MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
    assert message["To"] == "oncall@example.org"
    assert str(message["Subject"]).isprintable()


@given(texts)
def test_whatever_stands_in_it_the_log_has_one_line(strange: dict[str, str]) -> None:
    line = line_of(replace(FIRED, **strange), now=0)
    assert line.isascii()
    assert line.decode().rstrip("\n").isprintable()
    assert len(line) < 32 * 1024
    assert json.loads(line)["state"] == "fired"


@given(texts)
def test_whatever_stands_in_it_a_headline_is_short(strange: dict[str, str]) -> None:
    line = headline(replace(FIRED, **strange))
    assert line.startswith("FIRED: ")
    assert line.isprintable()
    assert len(line) <= 250


def test_an_end_that_has_an_id_of_its_own_is_in_the_thread_all_the_same() -> None:
    fired = message_of(FIRED, ENVELOPE)
    ended = message_of(replace(FIRED, state="recovered", id="another", at="later"), ENVELOPE)
    assert ended["References"].split()[0] == fired["References"]
    for other in ({"rule": "2"}, {"entry": "e"}, {"since": "2026-01-31T11:51:00.000Z"}):
        assert message_of(replace(FIRED, **other), ENVELOPE)["References"] != fired["References"]


def test_facts_leave_out_what_is_too_large() -> None:
    told = facts(FIRED, most=len(FIRED.result))
    assert (told["result"], told["data"]) == (FIRED.result, None)
    assert told["data_bytes"] == len(FIRED.data.encode())
    nothing = facts(replace(FIRED, data="", data_bytes=0, result=""), most=100)
    assert [nothing[key] for key in ("data", "data_bytes", "result")] == [None, 0, None]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a\r\n\tb ", "a b"),
        ("\x1b[31mred\u202e", "[31mred"),
        ("x" * 30, "x" * 9 + "…"),
        ("\x00" * 10_000 + "x", ""),
    ],
)
def test_a_line_is_one(text: str, line: str) -> None:
    assert one_line(text, 10) == line


def test_an_outcome_is_well_formed() -> None:
    root = parse(outcome("mailSent", to=2, said="<&\"'\n\x00\ud800>").encode())
    assert (root.tag, root.get("to")) == ("{urn:mds-aggregator:trigger}mailSent", "2")
    assert root.get("said") == "<&\"' >"


def test_which_answers_may_be_others_later() -> None:
    asked = (0, 100, 200, 302, 400, 404, 408, 413, 422, 425, 429, 500, 599)
    assert [one for one in asked if Answer(one).may_change] == [0, 100, 408, 425, 429, 500, 599]


def test_a_time_that_can_not_be_read_is_left_out() -> None:
    for since, at, told in (
        ("2026-01-31T11:59:59Z", "2026-01-31T12:00:00Z", "for 1 second."),
        ("2026-01-29T11:59:59Z", "2026-01-31T12:00:00Z", "for 2 days."),
        ("yesterday", "2026-01-31T12:00:00Z", "true since yesterday."),
        ("2026-01-31T12:00:01Z", "2026-01-31T12:00:00Z", "true since 2026-01-31T12:00:01Z."),
        ("", "", "true since now."),
    ):
        text = message_of(replace(FIRED, since=since, at=at), ENVELOPE).get_body().get_content()  # type: ignore[union-attr]
        assert told in text


@pytest.mark.parametrize("letter", ["", " ", "\n", "é", "a" * 201])
def test_an_id_is_fit_for_a_header(letter: str) -> None:
    document = (SAMPLES / "fired.xml").read_text().replace(FIRED.id, letter)
    with pytest.raises(AlertUnreadable, match="the alert's id is"):
        read_alert(document.encode())
    kept: Alert = read_alert(
        (SAMPLES / "fired.xml").read_bytes().replace(FIRED.id.encode(), b"$~/#@%")
    )
    assert set(kept.id) <= set(string.punctuation)
