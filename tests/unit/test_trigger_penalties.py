"""Whose expressions are evaluated first, where some take too long."""

from __future__ import annotations

from aggregator.triggers.penalties import Penalties


def test_who_is_known_to_be_quick_comes_first_and_who_took_too_long_last() -> None:
    penalties = Penalties(lambda: 0.0)
    penalties.add("slow")
    rules = [("slow", 1), ("new", 2), ("late", 3), ("quick", 4)]
    assert penalties.order(rules, quick={"quick", "slow"}) == [3, 1, 2, 0]


def test_a_registration_of_many_rules_keeps_the_first_of_others_waiting_for_one() -> None:
    rules = [(f"many/{place}", 1) for place in range(32)] + [("one/0", 2), ("two/0", 3)]
    assert Penalties().order(rules, quick=()) == [0, 32, 33, *range(1, 32)]


def test_an_expression_is_left_out_longer_each_time() -> None:
    now = 0.0
    penalties = Penalties(lambda: now)
    lengths = []
    for _ in range(8):
        lengths.append(penalties.add("a"))
        assert penalties.is_out("a")
        now += lengths[-1]
        assert not penalties.is_out("a")
    assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_what_was_well_for_longer_than_it_was_left_out_begins_anew() -> None:
    now = 0.0
    penalties = Penalties(lambda: now)
    assert [penalties.add("a"), penalties.add("a")] == [60, 120]
    now += 120 + 121
    assert penalties.add("a") == 60


def test_the_rules_of_a_registration_are_left_out_together() -> None:
    penalties = Penalties(lambda: 0.0)
    penalties.add("entry/3")
    assert penalties.is_out("entry/0")
    assert not penalties.is_out("other/3")
    assert not penalties.is_out("5ad4c4e0-6d2c")
