"""What QueryArchive asks for, as it is read."""

from __future__ import annotations

import pytest

from aggregator.archive.asked import END, MOST, read_question, token
from aggregator.errors import InvalidQuery, RequestError, UnknownQueryDialect
from aggregator.registry.fingerprint import references_digest
from aggregator.store.archive_reading import Wanted
from aggregator.store.archive_unpacking import Place
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import read_epr
from aggregator.wire.parse import Element, parse

EXPRESSION = '<QueryExpression xmlns:p="urn:p">//p:x</QueryExpression>'


def asked(inside: str) -> Element:
    return parse(f'<QueryArchive xmlns="{ns.ARCHIVE}">{inside}</QueryArchive>'.encode())


def epr(references: str, wsa: str = ns.WSA_2005_08, holder: str = "ReferenceParameters") -> str:
    kept = f"<w:{holder}>{references}</w:{holder}>" if references else ""
    return f'<MemberEPR xmlns:w="{wsa}"><w:Address> http://m/s </w:Address>{kept}</MemberEPR>'


def test_what_is_left_out_is_not_limited() -> None:
    question = read_question(asked(EXPRESSION))
    assert question.expression == "//p:x"
    assert question.namespaces == {"p": "urn:p"}
    assert question.wanted == Wanted(0, END)
    assert (question.most, question.after) == (MOST, None)


def test_everything_is_read() -> None:
    question = read_question(
        asked(
            f"{EXPRESSION}<From> 1970-01-01T00:00:01 </From><To>1970-01-01T01:00:02+01:00</To>"
            f"{epr('')}<EntryKey>k</EntryKey><Limit>5000000</Limit><After>7-3</After>"
        )
    )
    assert question.wanted == Wanted(1_000_000, 2_000_000, "http://m/s", "", "k")
    assert (question.most, question.after) == (MOST, Place(7, 3))
    assert token(Place(7, 3)) == "7-3"


def test_the_far_ends_of_the_calendar_are_no_limits() -> None:
    ends = "<From>0001-01-01T00:00:00Z</From><To>9999-12-31T23:59:59Z</To>"
    assert read_question(asked(EXPRESSION + ends)).wanted == Wanted(0, END)


def test_resources_of_one_address_are_told_apart_in_either_dialect() -> None:
    """By what the references say, not by how they are written."""
    first = epr('<k:Key xmlns:k="urn:k">1</k:Key>')
    same = epr('<Key xmlns="urn:k">1</Key>', ns.WSA_2004_03, "ReferenceProperties")
    other = epr('<k:Key xmlns:k="urn:k">2</k:Key>')
    found = [
        read_question(asked(EXPRESSION + one)).wanted.reference for one in (first, same, other)
    ]
    assert found[0] == found[1] != found[2]
    assert found[0] == references_digest(read_epr(parse(first.encode())))
    assert read_question(asked(EXPRESSION + epr(""))).wanted.reference == ""


@pytest.mark.parametrize(
    ("inside", "kind", "said"),
    [
        ("", InvalidQuery, "has no QueryExpression"),
        ("<QueryExpression><x/></QueryExpression>", InvalidQuery, "holds elements"),
        (
            '<QueryExpression Dialect="urn:xquery">1</QueryExpression>',
            UnknownQueryDialect,
            "'urn:xquery' is not spoken here",
        ),
        (f"{EXPRESSION}<MemberEPR/>", RequestError, "has no Address"),
        (f"{EXPRESSION}<Limit>-1</Limit>", RequestError, "'-1' is no whole number above 0"),
        (f"{EXPRESSION}<After>1</After>", RequestError, "'1' is none of ours"),
        (f"{EXPRESSION}<After>{'9' * 30}-1</After>", RequestError, "is none of ours"),
        (f"{EXPRESSION}{EXPRESSION}", RequestError, "holds QueryExpression twice"),
        (f"{EXPRESSION}<{'x' * 500}/>", RequestError, "is no part of QueryArchive"),
    ],
)
def test_what_is_wrong_is_named(inside: str, kind: type[RequestError], said: str) -> None:
    with pytest.raises(kind) as refused:
        read_question(asked(inside))
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400
