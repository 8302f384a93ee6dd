"""Rules of registrations on real processes: what fires, what actions are given, what is shown."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import soap
from tests.databases import DATABASES
from tests.notified import http_server
from tests.waiting import until

from .trigger_kit import MORE, TRIGGER, TriggerScene, rule, trigger_scene

LOAD = "//*[local-name()='load'] > 5"


@pytest.fixture(scope="module", params=DATABASES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TriggerScene]:
    """A service for the tests of this module."""
    with trigger_scene(request.param, tmp_path_factory.mktemp("triggers")) as found:
        yield found


def test_a_rule_fires_recovers_and_shows_both(scene: TriggerScene) -> None:
    scene.say("one", "<load>1</load>")
    scene.behave("echo '<output xmlns=\"\">done</output>'")
    scene.add("one", rule(LOAD, minimumFiringInterval=3600))
    [status] = until(lambda: scene.statuses("one"))
    assert status.findtext(f"{{{TRIGGER}}}ruleLastCheckedAt")
    assert status.find(f"{{{TRIGGER}}}conditionTrueSince") is None
    scene.say("one", "<load>9</load>")
    until(lambda: scene.outcome("one") == "done")
    [status] = scene.statuses("one")
    assert status.findtext(f"{{{TRIGGER}}}actionOutput/output") == "done"
    assert status.findtext(f"{{{TRIGGER}}}conditionTrueSince")
    assert status.findtext(f"{{{TRIGGER}}}actionFiredAt")
    scene.say("one", "<load>2</load>")
    until(lambda: len(scene.states()) == 2)
    assert scene.states() == ["fired", "recovered"]
    [status] = until(
        lambda: [
            one for one in scene.statuses("one") if one.find(f"{{{MORE}}}recoveredAt") is not None
        ]
    )
    assert status.find(f"{{{TRIGGER}}}conditionTrueSince") is None
    fired, recovered = scene.given()
    assert fired.tag == recovered.tag == "actionInput"
    assert fired.findtext("inputMessage/load") == "9"
    assert fired.find("{*}MemberEPR/{*}Address").text == "http://member.example.org/one"
    assert fired.find("{*}AggregatorConfig") is not None
    alert = fired.find(f"{{{MORE}}}alert")
    assert alert.get("group") == "DefaultTriggerService"
    assert alert.get("matchingRule") == LOAD
    assert alert.get("attempt") == "1"
    assert recovered.find(f"{{{MORE}}}alert").get("since") == alert.get("since")


def test_several_rules_of_a_registration_stand_each_for_itself(scene: TriggerScene) -> None:
    scene.behave("exit 0")
    scene.say("several", "<load>7</load>")
    hour = {"minimumFiringInterval": 3600}
    scene.add(
        "several",
        rule("//load > 100", **hour),
        rule("//load > 5", action="other", **hour),
        rule("//load[. = 7]", enableFilteredActionScriptInput="true", **hour),
    )
    until(lambda: [scene.outcome("several", place) for place in range(3)] == ["", "done", "done"])
    one, two, _ = scene.statuses("several")
    assert one.find(f"{{{TRIGGER}}}actionFiredAt") is None
    assert two.find(f"{{{TRIGGER}}}actionFiredAt") is not None
    [given] = [one for one in scene.given() if one.find(f"{{{MORE}}}alert").get("rule") == "2"]
    assert given.findtext("xpathResult/load") == "7"


def test_the_input_switches_leave_out_the_data_and_add_what_was_selected(
    scene: TriggerScene,
) -> None:
    scene.say("switched", "<all><load>8</load><secret>word</secret></all>")
    scene.add(
        "switched",
        rule(
            "//load",
            minimumFiringInterval=3600,
            enableFilteredActionScriptInput="true",
            disableUnmodifiedActionScriptInput="true",
        ),
    )
    until(lambda: scene.outcome("switched") == "done")
    [given] = [one for one in scene.given() if one.find("xpathResult/load[.='8']") is not None]
    assert given.find("inputMessage") is None
    assert "word" not in "".join(given.itertext())


def test_an_action_that_can_not_be_done_now_is_tried_again_under_its_id(
    scene: TriggerScene,
) -> None:
    scene.behave('[ -e "$folder/well" ] || { touch "$folder/well"; exit 75; }')
    before = len(scene.told())
    scene.say("later", "<load>9</load>")
    scene.add("later", rule(LOAD, minimumFiringInterval=3600))
    until(lambda: scene.outcome("later") == "done")
    [first, second] = scene.told()[before:]
    assert first == second
    assert [one.find(f"{{{MORE}}}alert").get("attempt") for one in scene.given()[-2:]] == ["1", "2"]


def test_an_action_that_fails_is_shown_and_not_tried_again(scene: TriggerScene) -> None:
    scene.behave("exit 3")
    before = len(scene.told())
    scene.say("failing", "<load>9</load>")
    scene.add("failing", rule(LOAD, minimumFiringInterval=3600))
    until(lambda: scene.outcome("failing") == "failed")
    [status] = scene.statuses("failing")
    assert status.findtext(f"{{{MORE}}}action") == "it ended with exit code 3"
    assert len(scene.told()) == before + 1
    scene.behave("exit 0")


def test_only_actions_that_are_meant_to_are_told_of_an_end(scene: TriggerScene) -> None:
    scene.behave("exit 0")
    scene.say("old", "<load>9</load>")
    scene.add("old", rule(LOAD, action="other", minimumFiringInterval=3600))
    until(lambda: scene.outcome("old") == "done")
    before = len(scene.told())
    scene.say("old", "<load>1</load>")
    until(lambda: scene.statuses("old")[0].find(f"{{{MORE}}}recoveredAt") is not None)
    assert len(scene.told()) == before


def test_a_hostile_expression_keeps_no_other_rule_waiting(scene: TriggerScene) -> None:
    nested = "//*" + "[count(//*[count(//*[count(//*[count(//*) > 0]) > 0]) > 0]) > 0]" * 3
    scene.say("hostile", "<a>" + "<b/>" * 400 + "</a>")
    scene.add("hostile", rule(nested))
    scene.say("victim", "<load>1</load>")
    scene.add("victim", rule(LOAD, minimumFiringInterval=3600))
    until(lambda: scene.statuses("victim"))
    scene.say("victim", "<load>9</load>")
    until(lambda: scene.outcome("victim") == "done", within=15)
    [status] = until(lambda: scene.statuses("hostile"))
    assert "left out for" in (status.findtext(f"{{{MORE}}}notEvaluated") or "")


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("", "must contain an element of xsi:type TriggerRuleType"),
        (rule("//x", action="absent"), "actionScript: the action 'absent' does not exist"),
        (rule("//x", action="../probes/said"), "actionScript"),
        (rule("//q:x"), "has no namespaceMappings"),
        (rule("//x["), "matchingRule"),
        (rule("1) or (2"), "matchingRule: '1) or (2' is no XPath 1.0"),
        (rule("document('file:///etc/passwd')"), "is no function of XPath 1.0"),
        (rule("//x", minimumMatchTime="-1"), "minimumMatchTime: '-1' is no whole number"),
        (rule("//x", minimumFiringInterval="soon"), "minimumFiringInterval: 'soon'"),
        (rule("//x", evaluateBoolean="yes"), "evaluateBoolean: 'yes' is neither"),
        (rule("//x", invalidityTime="tomorrow"), "invalidityTime: it needs two times"),
        (rule("//x", invented="1"), "'invented' is no part of it"),
        (rule("//x") * 33, "at most 32 are taken"),
    ],
)
def test_a_rule_that_can_not_work_refuses_the_add_and_leaves_nothing(
    scene: TriggerScene, block: str, told: str
) -> None:
    before = len(soap.entries(scene.group))
    config = soap.execution_config("said").replace(
        "</agg:AggregatorConfig>", f"{block}</agg:AggregatorConfig>"
    )
    config = config.replace(
        "<agg:AggregatorConfig ", f'<agg:AggregatorConfig xmlns:trigger="{TRIGGER}" ', 1
    )
    answer = soap.call(scene.group, soap.add_body("http://member.example.org/x", config))
    assert answer.status == 500
    assert answer.fault[0] == "AddRefusedFault"
    assert told in answer.fault[1]
    assert len(soap.entries(scene.group)) == before


def test_firings_are_counted_and_found_by_xpath(scene: TriggerScene) -> None:
    scene.say("counted", "<load>9</load>")
    scene.behave("exit 0")
    declare = f'xmlns:trig="{TRIGGER}" xmlns:m="http://mds.globus.org/metrics/2004/09"'

    def total() -> int:
        answer = soap.query(scene.group, "//trig:ActionsFiredCount/m:total", declare=declare)
        return int(answer.body[0].text)

    before = total()
    scene.add("counted", rule(LOAD, minimumFiringInterval=3600))
    until(lambda: scene.outcome("counted") == "done")
    assert total() == before + 1
    for family in ("gt4", "oasis"):
        found = soap.query(
            scene.group, "count(//trig:TriggerStatus) > 0", family=family, declare=declare
        )
        assert "".join(found.body.itertext()) == "true"
    index = scene.group.replace("DefaultTriggerService", "DefaultIndexService")
    assert b"ActionsFiredCount" not in soap.query(index, "/").content


def test_the_registration_of_mds4s_how_to_is_taken(scene: TriggerScene) -> None:
    """The TriggerRuleType of GT 4.1.3's how-to, written anew: prefixes by namespaceMappings."""
    glue = "http://mds.globus.org/glue/ce/1.1"
    scene.say(
        "pbs",
        f'<g:GLUECE xmlns:g="{glue}"><g:ComputingElement g:Name="normal"><g:Info g:LRMSType="PBS"/>'
        '<g:State g:FreeCPUs="4"/></g:ComputingElement></g:GLUECE>',
    )
    scene.add(
        "pbs",
        rule(
            "\n  //*/glue:GLUECE//glue:ComputingElement[@glue:Name='normal' \n"
            " and glue:Info/@glue:LRMSType='PBS' \n and glue:State/@glue:FreeCPUs>0]\n",
            namespaceMappings=f"\n xmlns:glue={glue}\n",
            minimumFiringInterval=60,
            minimumMatchTime=1,
            enableFilteredActionScriptInput="true",
            disableUnmodifiedActionScriptInput="true",
        ),
    )
    until(lambda: scene.outcome("pbs") == "done")
    [given] = [one for one in scene.given() if "/pbs" in "".join(one.itertext())]
    assert given.find(f"xpathResult/{{{glue}}}ComputingElement") is not None


def test_the_actions_that_ship_are_told_of_an_alert_and_of_its_end(tmp_path: Path) -> None:
    """A rule of a real registration, the web hook and the file that the operator configured."""
    posted: list[dict[str, object]] = []

    def take(path: str, body: bytes) -> tuple[int, bytes]:
        posted.append(json.loads(body))
        return 204, b""

    with http_server(take, content_type="application/json") as url:
        more = "[events]\npublish = true\n[actions]\n"
        more += f"webhook_url = '{url}/alerts'\nlog_file = '{tmp_path}/alerts'\n"
        with trigger_scene("sqlite", tmp_path, more=more, shipped=True) as scene:
            scene.say("shipped", "<load>9</load>")
            scene.add(
                "shipped",
                rule(LOAD, action="webhook", minimumFiringInterval=3600),
                rule(LOAD, action="log", minimumFiringInterval=3600),
            )
            until(lambda: [scene.outcome("shipped", place) for place in (0, 1)] == ["done"] * 2)
            scene.say("shipped", "<load>1</load>")
            until(lambda: len(posted) == 2)
            assert [one["state"] for one in posted] == ["fired", "recovered"]
            assert {one["member"] for one in posted} == {"http://member.example.org/shipped"}
            lines = until(
                lambda: len(found := (tmp_path / "alerts").read_text().splitlines()) == 2 and found
            )
            told = [json.loads(line) for line in lines]
            assert [one["state"] for one in told] == ["fired", "recovered"]
            assert told[0]["since"] == told[1]["since"]
            # The service's own life on the event bus, too: each of the two rules, and its end.
            until(lambda: len(published(scene)) == 4)
            assert sorted(published(scene)) == ["fired", "fired", "recovered", "recovered"]


def published(scene: TriggerScene) -> list[str]:
    """What became of alerts, as the event bus in the store has it."""
    with closing(sqlite3.connect(scene.store.removeprefix("sqlite:///"))) as found:
        rows = found.execute("SELECT body FROM events WHERE topic LIKE '1112.%'").fetchall()
    return ["recovered" if b"recovered" in bytes(body) else "fired" for (body,) in rows]
