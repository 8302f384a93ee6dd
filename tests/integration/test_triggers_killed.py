"""Rules of a service that is killed: what was begun is not begun again, nothing is forgotten."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.chaos.victims import role_of
from tests.databases import DATABASES
from tests.waiting import until

from .probe_kit import processes, token
from .trigger_kit import MORE, TRIGGER, TriggerScene, rule, trigger_scene

HOLDS = "//load > 5"


def since(scene: TriggerScene, name: str) -> str:
    """Since when the first rule of a member holds, as it is shown."""
    return scene.statuses(name)[0].findtext(f"{{{TRIGGER}}}conditionTrueSince") or ""


@pytest.mark.parametrize("kind", DATABASES)
def test_an_action_that_was_cut_off_is_shown_as_unknown_and_not_begun_again(
    kind: str, tmp_path: Path
) -> None:
    with trigger_scene(kind, tmp_path) as scene:
        seconds = token()
        scene.behave(f"sleep {seconds}")
        scene.say("one", "<load>9</load>")
        scene.add("one", rule(HOLDS, minimumFiringInterval=3600))
        until(lambda: len(scene.told()) == 1 and processes(seconds))
        held = since(scene, "one")
        collector = role_of(scene.service, "collector")
        assert collector is not None
        collector.kill()
        until(lambda: scene.outcome("one") == "outcome unknown")
        # The rule is still true, and collected again and again.
        checked = f"{{{TRIGGER}}}ruleLastCheckedAt"
        before = scene.statuses("one")[0].findtext(checked)
        until(lambda: (scene.statuses("one")[0].findtext(checked) or "") > (before or ""))
        assert len(scene.told()) == 1
        assert not processes(seconds)
        assert since(scene, "one") == held

        # All of it killed at once, and started again.
        scene.kill()
        scene.behave("exit 0")
        scene.start()
        before = scene.statuses("one")[0].findtext(checked)
        until(lambda: (scene.statuses("one")[0].findtext(checked) or "") > (before or ""))
        assert len(scene.told()) == 1
        assert since(scene, "one") == held
        assert scene.outcome("one") == "outcome unknown"

        # The alert was raised before; its end is told by who came after.
        scene.say("one", "<load>1</load>")
        until(lambda: scene.states() == ["fired", "recovered"])


@pytest.mark.parametrize("kind", DATABASES)
def test_a_match_time_goes_on_over_a_restart(kind: str, tmp_path: Path) -> None:
    with trigger_scene(kind, tmp_path) as scene:
        scene.say("two", "<load>9</load>")
        scene.add("two", rule(HOLDS, minimumMatchTime=8, minimumFiringInterval=3600))
        held = until(lambda: bool(scene.statuses("two")) and since(scene, "two"))
        began = time.monotonic()
        scene.kill()
        scene.start()
        until(lambda: scene.outcome("two") == "done")
        assert time.monotonic() - began > 5
        assert since(scene, "two") == held
        assert scene.states() == ["fired"]


def test_an_action_that_waits_is_begun_by_who_comes_next(tmp_path: Path) -> None:
    with trigger_scene("sqlite", tmp_path) as scene:
        scene.behave("exit 75")
        scene.say("three", "<load>9</load>")
        scene.add("three", rule(HOLDS, minimumFiringInterval=3600))
        until(lambda: len(scene.told()) >= 2)
        scene.kill()
        scene.behave("exit 0")
        scene.start()
        until(lambda: scene.outcome("three") == "done")
        assert len({number for number, _ in scene.told()}) == 1
        attempts = [one.find(f"{{{MORE}}}alert").get("attempt") for one in scene.given()]
        assert attempts == [str(place + 1) for place in range(len(attempts))]
