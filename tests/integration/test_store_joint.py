"""Units of work that are joint are done by the same statements, and cost each other nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aggregator.store.accumulators import accumulate, read_accumulator
from aggregator.store.engine import Store
from aggregator.store.joint import Joint
from aggregator.store.write import Write
from tests import stores
from tests.integration import test_store_writer as held
from tests.integration.test_store_writer import SOON, adding, writer_held

store = stores.store
_no_hurry = held._no_hurry


def twice(write: Write, asked: Sequence[int]) -> list[int]:
    """Joint work that fails where a number is below zero, after it wrote."""
    accumulate(write, 1, "p", len(asked))
    if min(asked) < 0:
        raise ValueError(f"{asked} holds one below zero")
    SEEN.append(list(asked))
    return [2 * number for number in asked]


SEEN: list[list[int]] = []


def test_joint_units_are_one_and_others_keep_their_own(store: Store) -> None:
    SEEN.clear()
    with writer_held(store):
        futures = [
            store.writer.submit(unit)
            for unit in (Joint(twice, 1), adding("a"), Joint(twice, 2), adding("b"))
        ]
    assert [future.result(SOON) for future in futures] == [2, "a", 4, "b"]
    assert SEEN == [[1, 2]]


def test_one_of_joint_units_that_fails_costs_the_others_nothing(store: Store) -> None:
    SEEN.clear()
    with writer_held(store):
        good, bad, other = (store.writer.submit(Joint(twice, number)) for number in (1, -1, 3))
    assert (good.result(SOON), other.result(SOON)) == (2, 6)
    with pytest.raises(ValueError, match="below zero"):
        bad.result(SOON)
    assert SEEN == [[1], [3]]
    with store.read() as connection:
        assert read_accumulator(connection, 1, store.clock.now()).total == 2
