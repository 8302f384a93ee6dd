"""Chance decides what fails, stops, restarts and changes; what was stored is sent all the same."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from aggregator.streams import Batch, BatchMessenger, SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import as_it_is

place = streams_kit.place

STEPS = 250


class Chancy(BatchMessenger):
    """Fails before it took a message, fails after it did, or stops the stream."""

    def __init__(self, life: Life) -> None:
        self.life = life

    def send_batch(self, message: Any, batch: Batch) -> None:
        chance = self.life.chance.random()
        if chance < 0.2:
            raise OSError("not taken")
        self.life.took(message, batch)
        if chance < 0.3:
            self.life.in_doubt |= {row[-1] for row in message}
            raise OSError("taken, but not acknowledged")
        if chance < 0.33:
            self.life.streamer.stop_stream("numbers")


class Life:
    """A program that stores numbers and streams them."""

    def __init__(self, place: str, seed: int) -> None:
        self.place = place
        self.chance = random.Random(seed)
        self.stored = 0
        self.now = 0.0
        self.taken: list[int] = []
        self.names: dict[str, int] = {}
        self.in_doubt: set[int] = set()
        self.open()

    def open(self) -> None:
        self.streamer = SqliteDataStreamer(self.place)
        self.streamer.add_storage("numbers", ["number"], ["INTEGER"])
        self.stream()

    def stream(self) -> None:
        size = self.chance.choice([1, 3, 10])
        self.streamer.stream("numbers", None, None, None, 1, self.formatter, batch_size=size)

    def formatter(self, rows: list[list[Any]], userdata: Any) -> Any:
        if self.chance.random() < 0.1:
            raise ValueError("no format")
        return rows

    def took(self, message: list[list[Any]], batch: Batch) -> None:
        for name, row in zip(batch.row_ids, message, strict=True):
            assert self.names.setdefault(name, row[-1]) == row[-1]
            self.taken.append(row[-1])

    def step(self) -> None:
        """Store, send, change, stop, or start anew."""
        chance = self.chance.random()
        if chance < 0.5:
            for _ in range(self.chance.randint(1, 8)):
                self.streamer.store_data("numbers", self.now, self.stored)
                self.stored += 1
        elif chance < 0.9:
            # Clocks are set, too.
            at = self.now + self.chance.choice([0, 1, 50, -20])
            self.now = self.streamer.do_updates(at, Chancy(self))
        elif chance < 0.94:
            self.stream()
        elif chance < 0.97:
            self.streamer.stop_stream("numbers")
        elif self.place != ":memory:":
            self.streamer.close()
            self.open()

    def end(self) -> None:
        """Send what is left."""
        self.streamer.stream("numbers", None, None, None, 1, as_it_is)
        for _ in range(3):
            self.now = self.streamer.do_updates(self.now + 100, _Taking(self))
        self.streamer.close()


class _Taking(BatchMessenger):
    def __init__(self, life: Life) -> None:
        self.life = life

    def send_batch(self, message: Any, batch: Batch) -> None:
        self.life.took(message, batch)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_row_is_sent_in_order_and_twice_only_where_it_was_in_doubt(
    place: str, seed: int
) -> None:
    life = Life(place, seed)
    for _ in range(STEPS):
        life.step()
    life.end()
    assert list(dict.fromkeys(life.taken)) == list(range(life.stored))
    assert life.stored > 200
    again = {number for number, times in Counter(life.taken).items() if times > 1}
    assert again
    assert again <= life.in_doubt
