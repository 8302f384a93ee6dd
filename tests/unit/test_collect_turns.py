"""Who may start: what one source, or members that hang, may take from the others."""

from __future__ import annotations

from aggregator.collect.schedule import Scheduled
from aggregator.collect.turns import Turns


def scheduled(entry: int, *, source: str = "S", slow: bool = False) -> Scheduled:
    trouble = "timeout" if slow else "connection"
    return Scheduled(entry, "G", source, 0, 1.0, 0.0, trouble=trouble)


def taken(turns: Turns) -> list[int]:
    found = []
    while (turn := turns.take()) is not None:
        found.append(turn[0].entry)
    return found


def test_no_more_than_most_run() -> None:
    turns = Turns(3, share=lambda source: 10)
    for entry in range(5):
        turns.wait(scheduled(entry))
    assert taken(turns) == [0, 1, 2]
    assert (turns.running, turns.waiting) == (3, 2)
    turns.done(("S", False))
    assert taken(turns) == [3]


def test_a_source_gets_its_share_and_leaves_the_rest() -> None:
    turns = Turns(10, share=lambda source: 6)
    for entry in range(20):
        turns.wait(scheduled(entry))
    assert len(taken(turns)) == 6
    turns.wait(scheduled(100, source="T"))
    assert taken(turns) == [100]


def test_the_slow_get_half_of_their_source_s_share() -> None:
    turns = Turns(100, share=lambda source: 8)
    for entry in range(20):
        turns.wait(scheduled(entry, slow=True))
    assert len(taken(turns)) == 4
    turns.wait(scheduled(100))
    assert taken(turns) == [100]


def test_lanes_take_turns() -> None:
    turns = Turns(4, share=lambda source: 10)
    for entry in range(4):
        turns.wait(scheduled(entry, source="S"))
        turns.wait(scheduled(10 + entry, source="T"))
    assert taken(turns) == [0, 10, 1, 11]


def test_what_is_gone_gets_no_turn() -> None:
    turns = Turns(4, share=lambda source: 10)
    gone = scheduled(1)
    turns.wait(gone)
    turns.wait(scheduled(2))
    gone.gone = True
    assert taken(turns) == [2]


def test_a_share_of_nothing_is_one() -> None:
    turns = Turns(4, share=lambda source: 1)
    turns.wait(scheduled(1, slow=True))
    assert taken(turns) == [1]
