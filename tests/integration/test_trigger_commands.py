"""mds-trigger-create, -view and -edit as a user runs them, against a service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import soap
from tests.waiting import until

from .commands import run
from .trigger_kit import TriggerScene, trigger_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TriggerScene]:
    """A service for the tests of this module."""
    with trigger_scene("sqlite", tmp_path_factory.mktemp("triggers")) as found:
        yield found


def base(scene: TriggerScene) -> str:
    return f"{scene.service.url}/wsrf/services"


@pytest.mark.parametrize("dialect", ["auto", "gt4", "oasis"])
def test_a_trigger_is_made_changed_shown_and_fires(scene: TriggerScene, dialect: str) -> None:
    name = f"commanded-{dialect}"
    group = f"{base(scene)}/TriggerRegistrationService"
    scene.say(name, "<load>9</load>")
    scene.add(name, group=group)
    before = len(scene.told())
    given = ("-b", base(scene), "--dialect", dialect)
    made = run("mds-trigger-create", *given, f"http://member.example.org/{name}")
    assert made.status == 0, made.err
    number = made.out.strip()
    changed = run(
        "mds-trigger-edit",
        *given,
        number,
        f"TriggerName={dialect}",
        "MatchingRule=//x:load | //load[. > 5]",
        "NamespaceMappings=xmlns:x=urn:x",
        "NamespaceMappings=xmlns:y=urn:y",
        "ActionScript=act",
        "MinimumMatchTime=",
        "MinimumFiringInterval=3600",
        "TriggerStatus=enabled",
    )
    assert changed.status == 0, changed.err
    assert changed.out.startswith("changed TriggerName, MatchingRule, NamespaceMappings")
    until(lambda: scene.states()[before:] == ["fired"])
    shown = run("mds-trigger-view", *given, number)
    assert shown.status == 0, shown.err
    lines = {line.split(None, 1)[0]: line for line in shown.out.splitlines()}
    assert lines["TriggerStatus"].endswith("enabled")
    assert lines["MemberEPR"].endswith(f"http://member.example.org/{name}")
    assert "MinimumMatchTime" not in lines
    listed = json.loads(run("mds-trigger-view", *given, "--output", "json").out)
    [found] = [one for one in listed if one["TriggerID"] == [number]]
    assert found["NamespaceMappings"] == ["xmlns:x=urn:x", "xmlns:y=urn:y"]
    assert found["TriggerName"] == [dialect]
    assert (
        "<trig:TriggerID xmlns:trig="
        in run("mds-trigger-view", *given, "--output", "xml", number).out
    )
    assert number in run("mds-trigger-view", *given).out
    ended = run("wsrf-destroy", "-s", f"{base(scene)}/TriggerService/{number}")
    assert ended.status == 0, ended.err
    gone = run("mds-trigger-view", *given, number)
    assert gone.status == 1
    assert "there is no trigger" in gone.err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("mds-trigger-create", "http://member.example.org"), 2, "-b"),
        (("mds-trigger-create", "-b", "here", "http://x.example.org"), 2, "'here' is no URL"),
        (("mds-trigger-create", "-b", "{base}", "member"), 2, "'member' is no URL"),
        (("mds-trigger-edit", "-b", "{base}", "1-2"), 2, "PARAMETER=VALUE"),
        (("mds-trigger-edit", "-b", "{base}", "1-2", "enabled"), 2, "is no PARAMETER=VALUE"),
        (("mds-trigger-edit", "-b", "{base}", "../x", "TriggerName=a"), 2, "is no id"),
        (("mds-trigger-edit", "-b", "{base}", "1-2", "TriggerName=a"), 1, "there is no trigger"),
        (("mds-trigger-view", "-b", "http://127.0.0.1:9/x", "-t", "5"), 1, "127.0.0.1:9"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    scene: TriggerScene, arguments: tuple[str, ...], status: int, told: str
) -> None:
    command, *given = (word.replace("{base}", base(scene)) for word in arguments)
    ended = run(command, *given)
    assert ended.status == status, ended
    assert told in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert soap.AGG not in ended.err


FILE = """<ServiceGroupRegistrations xmlns="http://mds.globus.org/servicegroup/client"
    xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/03/addressing"
    xmlns:agg="http://mds.globus.org/aggregator/types">
  <defaultServiceGroupEPR>
    <wsa:Address>
      {base}/DefaultTriggerService
    </wsa:Address>
  </defaultServiceGroupEPR>
  <ServiceGroupRegistrationParameters>
    <RegistrantEPR><wsa:Address>http://member.example.org/filed</wsa:Address></RegistrantEPR>
    <RefreshIntervalSecs>600</RefreshIntervalSecs>
    <Content xsi:type="agg:AggregatorContent"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
      <agg:AggregatorConfig xsi:type="agg:AggregatorConfig">
        <agg:ExecutionPollType>
          <agg:PollIntervalMillis>200</agg:PollIntervalMillis>
          <agg:ProbeName>said</agg:ProbeName>
        </agg:ExecutionPollType>
        <trigger:TriggerRuleType xmlns:trigger="http://mds.globus.org/2004/08/trigger/types">
          <trigger:matchingRule>//*[local-name()='load'][. &gt; 5]</trigger:matchingRule>
          <trigger:actionScript>act</trigger:actionScript>
          <trigger:minimumFiringInterval>600</trigger:minimumFiringInterval>
        </trigger:TriggerRuleType>
      </agg:AggregatorConfig>
      <agg:AggregatorData/>
    </Content>
  </ServiceGroupRegistrationParameters>
</ServiceGroupRegistrations>"""


def test_a_registration_file_of_mds4_brings_its_rule(scene: TriggerScene, tmp_path: Path) -> None:
    scene.say("filed", "<load>9</load>")
    before = len(scene.told())
    file = tmp_path / "triggers.xml"
    file.write_text(FILE.format(base=base(scene)))
    done = run("mds-servicegroup-add", "-a", "--once", str(file))
    assert done.status == 0, done.err
    until(lambda: scene.states()[before:] == ["fired"])
    until(lambda: scene.outcome("filed") == "done")
