"""What counts as served late, as wrong, and as at rest, when many entries end at once."""

from __future__ import annotations

import pytest

from bench.askers import Noted
from bench.mass_expiry import Times, check, late

ENDS = 1_000_000


def noted(
    name: str = "Ending by key",
    *,
    sent: int,
    came: int = 0,
    shown: bool = True,
    refusal: str = "",
) -> Noted:
    return Noted(name, 7, sent, came or sent + 1000, shown, refusal)


def test_only_what_was_asked_for_after_the_end_is_late() -> None:
    replies = [
        noted(sent=ENDS - 1, came=ENDS + 5000),
        noted(sent=ENDS),
        noted(sent=ENDS + 1, shown=False),
        noted("Neighbour by key", sent=ENDS + 1),
    ]
    assert late(replies, ENDS) == 1
    check(replies, ENDS)


@pytest.mark.parametrize(
    "reply",
    [
        noted(sent=ENDS - 5000, shown=False),
        noted(sent=ENDS - 5000, shown=False, refusal="500 <fault/>"),
        noted("Neighbour by key", sent=ENDS + 5000, shown=False),
    ],
)
def test_what_is_there_has_to_be_shown(reply: Noted) -> None:
    with pytest.raises(RuntimeError):
        check([reply], ENDS)


def test_a_refusal_after_the_end_is_counted_elsewhere() -> None:
    check([noted("Neighbour by key", sent=ENDS, shown=False, refusal="500 <fault/>")], ENDS)


def test_replies_are_at_rest_or_after_the_end_until_the_rows_are_gone() -> None:
    times = Times(ENDS, ENDS + 3_000_000)
    replies = [
        noted(sent=at, came=at + 10_000)
        for at in (ENDS - 900_000, ENDS - 505_000, ENDS - 5000, ENDS + 2_999_999, ENDS + 3_000_000)
    ]
    assert times.rest(replies, "Ending by key") == [0.01]
    assert times.after(replies, "Ending by key") == [0.01, 0.01]
    assert times.rest(replies, "Neighbour by key") == []
