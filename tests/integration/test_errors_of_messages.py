"""An error of a message or of a sink stays until something is published: no turn clears it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aggregator.collect.dispatch import Result
from aggregator.contract import Collected
from aggregator.model import Entry, Plan
from aggregator.testing import FailingSink
from tests.integration import collector_kit
from tests.integration.collector_kit import Bench
from tests.integration.test_collector_sinks import INDEX, Scene

bench, embedded = collector_kit.bench, collector_kit.embedded

UNREADABLE = "wrong-content", "the event: it is none"
AWAY = "no-broker", "the event broker does not answer"


class Told:
    """What one entry's turns and messages lead to; its plan is one of upkeep."""

    def __init__(self, scene: Scene, entry: Entry, *, upkeep: int = 1000) -> None:
        self.scene, self.entry = scene, entry
        self._like = scene.result(entry)
        self._like.context.assignment = replace(
            self._like.context.assignment, plan=Plan("s", 0, {}, upkeep=upkeep)
        )

    def _record(self, **fields: object) -> str:
        now = self.scene.bench.store.clock.now()
        result: Result = replace(self._like, **{"attempt": now, **fields})  # type: ignore[arg-type]
        self.scene.record(result)
        return self.code

    @property
    def code(self) -> str:
        return self.scene.now(self.entry)[1]

    def turn(self, error: tuple[str, str] | None = None, **remember: str) -> str:
        collected = None if error else Collected(None, remember)
        return self._record(collected=collected, error=error)

    def message(self, error: tuple[str, str] | None = None, content: bytes = b"<m/>") -> str:
        collected = None if error else Collected((content,))
        return self._record(collected=collected, error=error, messages=(1,))

    def stored(self, column: str) -> object:
        """What the store has of the entry's health."""
        ask = f"SELECT {column} FROM entry_health WHERE entry_id = {self.entry.id}"
        return self.scene.bench.store.query(lambda found: found.exec_driver_sql(ask).scalar())


@pytest.fixture
def told(bench: Bench) -> Told:
    scene = Scene(bench, INDEX)
    return Told(scene, scene.entry())


def test_a_turn_leaves_the_error_of_a_message(told: Told) -> None:
    assert told.message(UNREADABLE) == "wrong-content"
    assert told.turn(seen="x") == "wrong-content"
    assert told.turn() == "wrong-content"
    assert told.stored("failures") == 1
    assert '"seen": "x"' in str(told.stored("memory")), "what it remembers is kept all the same"
    assert told.message() == ""
    assert told.turn() == ""


def test_a_turn_clears_the_error_of_a_turn(told: Told) -> None:
    assert told.turn(AWAY) == "no-broker"
    assert told.turn() == ""


def test_a_turn_that_fails_is_shown_and_cleared_by_the_next(told: Told) -> None:
    told.message(UNREADABLE)
    assert told.turn(AWAY) == "no-broker"
    assert told.turn() == ""


def test_content_of_a_turn_clears_what_it_follows(told: Told) -> None:
    told.message(UNREADABLE)
    assert told._record(collected=Collected((b"<asked/>",)), error=None) == ""


def test_a_turn_leaves_the_error_of_a_sink(bench: Bench) -> None:
    scene = Scene(bench, FailingSink().type())
    told = Told(scene, scene.entry())
    assert told.message() == "sink-failed"
    assert told.turn() == "sink-failed"
