"""The judge of fuzzed requests sees what is wrong, in an answer and in what it leaves behind."""

from __future__ import annotations

import pytest

from aggregator.errors import AddRefused, StoreUnavailable
from aggregator.wire.dialects import GT4, OASIS, Dialect
from aggregator.wire.envelope import SOAP11 as V11
from aggregator.wire.envelope import SOAP12 as V12
from aggregator.wire.envelope import SoapVersion, write_envelope
from aggregator.wire.faults import write_fault
from tests import soap
from tests.fuzzing.case import Case
from tests.fuzzing.judging import Wrong, judge
from tests.fuzzing.ledger import State
from tests.fuzzing.sending import request_bytes
from tests.soap import SOAP11, SOAP12, Answer

BEFORE = State({1: 7}, {(1, "a"): None})
CHANGED = State({1: 8}, {(1, "a"): 5})
CASE = Case(
    "add", soap.envelope(soap.add_body("http://127.0.0.1:1/m")), "/", soap=SOAP11, family="oasis"
)


def refused(
    error: Exception | None = None, *, version: SoapVersion = V11, dialect: Dialect = OASIS
) -> Answer:
    fault = write_fault(error or AddRefused("no"), version=version, dialect=dialect, now=0)
    content = write_envelope(version, fault.body)
    return Answer(fault.status, {"content-type": version.content_type}, content)


def accepted(body: str) -> Answer:
    content = write_envelope(V11, body.encode())
    return Answer(200, {"content-type": V11.content_type}, content)


ADDED = accepted('<sg:AddResponse xmlns:sg="http://docs.oasis-open.org/wsrf/sg-2"/>')
READ = accepted('<rp:GetResourcePropertyResponse xmlns:rp="http://docs.oasis-open.org/wsrf/rp-2"/>')


def altered(answer: Answer, old: str, new: str) -> Answer:
    assert old.encode() in answer.content
    return Answer(answer.status, answer.headers, answer.content.replace(old.encode(), new.encode()))


@pytest.mark.parametrize(
    ("answer", "after", "outcome"),
    [
        (refused(), BEFORE, "500 AddRefusedFault"),
        (ADDED, CHANGED, "200 AddResponse"),
        (READ, BEFORE, "200 GetResourcePropertyResponse"),
    ],
)
def test_good_answers_are_counted(answer: Answer, after: State, outcome: str) -> None:
    assert judge(CASE, answer, BEFORE, after).outcome == outcome


@pytest.mark.parametrize(
    ("answer", "after", "words"),
    [
        (refused(), CHANGED, "changed"),
        (refused(), State({1: 8}, BEFORE.ends), "left a trace"),
        (READ, CHANGED, "changed"),
        (ADDED, State({1: 8}, {(1, "b"): None}), "changed 2 entries"),
        (None, BEFORE, "without an answer"),
        (Answer(500, {"content-type": "text/html"}, b"oh"), BEFORE, "without an envelope"),
        (refused(version=V12), BEFORE, "answers"),
        (refused(dialect=GT4), BEFORE, "is told"),
        (refused(ValueError("bug")), BEFORE, "of the service's own"),
        (refused(StoreUnavailable("away")), BEFORE, "of the service's own"),
        (altered(refused(), ">no<", ">Traceback<"), BEFORE, "traceback"),
        (altered(refused(), "bf:Timestamp", "bf:Time"), BEFORE, "without Timestamp"),
        (altered(refused(), "AddRefusedFault", "OtherFault"), BEFORE, "is no fault that is known"),
        (altered(refused(), "detail>", "more>"), BEFORE, "without a typed detail"),
        (altered(refused(), "soapenv:Client", "soapenv:Mine"), BEFORE, "fault code"),
        (altered(refused(), "</soapenv:Body>", ""), BEFORE, "not well-formed"),
        (altered(ADDED, "docs.oasis-open.org", "elsewhere"), CHANGED, "is answered with"),
        (Answer(400, refused().headers, refused().content), BEFORE, "status 400"),
        (
            Answer(200, {"content-type": V12.content_type}, ADDED.content),
            CHANGED,
            "holds an envelope",
        ),
    ],
)
def test_wrong_answers_are_told(answer: Answer | None, after: State, words: str) -> None:
    with pytest.raises(Wrong, match=words):
        judge(CASE, answer, BEFORE, after)


def test_a_case_is_the_same_after_it_was_kept() -> None:
    assert Case.from_json(CASE.to_json()) == CASE


@pytest.mark.parametrize(
    ("framing", "announced"),
    [
        ("length", b"Content-Length: 30\r\n"),
        ("short", b"Content-Length: 10\r\n"),
        ("long", b"Content-Length: 50\r\n"),
        ("chunked", b"\r\n\r\n1e\r\n" + b"x" * 30 + b"\r\n0\r\n\r\n"),
    ],
)
def test_a_body_is_announced_as_the_case_says(framing: str, announced: bytes) -> None:
    case = Case("http", b"x" * 30, "/", soap=SOAP12, framing=framing)  # type: ignore[arg-type]
    assert announced in request_bytes(case)
