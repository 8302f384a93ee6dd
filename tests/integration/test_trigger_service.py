"""Triggers as resources: made, read, changed and removed, in both dialects, and what they do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zeep
from lxml import etree

from tests import soap
from tests.databases import DATABASES
from tests.waiting import until

from .trigger_calls import change, create, delete, destroy, read, service, text
from .trigger_kit import MORE, TRIGGER, TriggerScene, trigger_scene

FAMILIES = ("gt4", "oasis")


@pytest.fixture(scope="module", params=DATABASES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TriggerScene]:
    """A service for the tests of this module."""
    folder = tmp_path_factory.mktemp("triggers")
    more = "max_triggers = 40\n"
    with trigger_scene(request.param, folder, more=more) as found:
        yield found


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_trigger_has_the_defaults_of_gt_4_2(scene: TriggerScene, family: soap.Family) -> None:
    number = create(scene, "fresh", family)
    assert text(scene, number, "TriggerStatus") == "disabled"
    assert text(scene, number, "MatchingRule") == "count(//*[local-name()='Entry'])<1"
    assert text(scene, number, "ActionScript") == "trigger-action-default"
    assert text(scene, number, "MinimumFiringInterval") == "20"
    assert text(scene, number, "MinimumMatchTime") == "30"
    assert text(scene, number, "EnableBoolean") == "true"
    assert text(scene, number, "ActionScriptInputFullOriginal") == "true"
    assert text(scene, number, "ActionScriptInputXPathQueryResult") == "true"
    assert text(scene, number, "TriggerID") == number
    assert read(scene, number, "InvalidityStartTime") == []
    [member] = read(scene, number, "MemberEPR", family)
    assert member.findtext(f"{{{soap.NS[family]['wsa']}}}Address") == (
        "http://member.example.org/fresh"
    )
    assert destroy(scene, number, family).status == 200
    fault = destroy(scene, number, family).fault
    assert fault[0] == "ResourceUnknownFault"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_trigger_fires_once_it_is_enabled_and_tells_the_end(
    scene: TriggerScene, family: soap.Family
) -> None:
    name = f"watched-{family}"
    scene.behave("echo '<printed/>'")
    before = len(scene.told())
    scene.say(name, "<load>9</load>")
    group = f"{scene.service.url}/wsrf/services/TriggerRegistrationService"
    scene.add(name, group=group)
    number = create(scene, name, family)
    values = {
        "TriggerName": "load",
        "MatchingRule": "//load > 5",
        "ActionScript": "act",
        "MinimumFiringInterval": "3600",
        "MinimumMatchTime": "0",
    }
    assert change(scene, number, family=family, **values).status == 200
    until(lambda: soap.get_property(group, "sg:Entry").content.count(b"<load>9</load>"))
    assert not read(scene, number, "RuleLastCheckedAt")
    assert change(scene, number, family=family, TriggerStatus="enabled").status == 200
    until(lambda: len(scene.told()) == before + 1)
    until(lambda: read(scene, number, "action")[0].get("outcome") == "done")
    [action] = read(scene, number, "action")
    assert action.find(f"{{{MORE}}}output/printed") is not None
    alert = scene.given()[-1].find(f"{{{MORE}}}alert")
    assert (alert.get("trigger"), alert.get("rule")) == (number, "load")
    assert scene.given()[-1].find("xpathResult").text == "true"
    assert text(scene, number, "ConditionTrueSince")
    assert text(scene, number, "ActionFiredAt")

    scene.say(name, "<load>1</load>")
    until(lambda: scene.states()[before:] == ["fired", "recovered"])
    assert not text(scene, number, "ConditionTrueSince")
    assert text(scene, number, "recoveredAt")
    [member] = read(scene, number, "MemberEPR")
    assert member.findtext("{*}Address") == f"http://member.example.org/{name}"

    # Disabled, it is held against nothing.
    assert change(scene, number, TriggerStatus="disabled").status == 200
    checked = text(scene, number, "RuleLastCheckedAt")
    scene.say(name, "<load>8</load>")
    until(lambda: soap.get_property(group, "sg:Entry").content.count(b"<load>8</load>"))
    assert text(scene, number, "RuleLastCheckedAt") == checked
    count = soap.call(
        group,
        f'<r:GetResourceProperty xmlns:r="{soap.NS[family]["rp"]}" xmlns:t="{TRIGGER}">'
        "t:ActionsFiredCount</r:GetResourceProperty>",
    )
    assert int(count.body[0].findtext("{*}total") or 0) >= 1
    destroy(scene, number)


def test_of_two_registrations_of_a_member_the_first_feeds_its_triggers(
    scene: TriggerScene,
) -> None:
    scene.behave("exit 0")
    before = len(scene.told())
    group = f"{scene.service.url}/wsrf/services/TriggerRegistrationService"
    scene.say("twice", "<load>9</load>")
    first = scene.add("twice", group=group)
    number = create(scene, "twice")
    values = {"MatchingRule": "//load > 5", "ActionScript": "act", "MinimumMatchTime": "0"}
    change(scene, number, TriggerStatus="enabled", MinimumFiringInterval="3600", **values)
    until(lambda: len(scene.told()) == before + 1)
    # It says that all is well, and is not asked.
    scene.add("twice", group=group, probe="quiet")
    until(lambda: soap.get_property(group, "sg:Entry").content.count(b"<load>1</load>") >= 1)
    checked = text(scene, number, "RuleLastCheckedAt")
    until(lambda: text(scene, number, "RuleLastCheckedAt") > checked)
    assert scene.states()[before:] == ["fired"]
    # Until the first is gone.
    soap.destroy(first)
    until(lambda: scene.states()[before:] == ["fired", "recovered"])
    destroy(scene, number)


def test_an_edited_rule_begins_anew_and_keeps_its_interval(scene: TriggerScene) -> None:
    scene.behave("exit 0")
    before = len(scene.told())
    group = f"{scene.service.url}/wsrf/services/TriggerRegistrationService"
    scene.say("edited", "<load>9</load>")
    scene.add("edited", group=group)
    number = create(scene, "edited")
    values = {"MatchingRule": "//load > 5", "ActionScript": "act", "MinimumMatchTime": "0"}
    change(scene, number, TriggerStatus="enabled", MinimumFiringInterval="3600", **values)
    until(lambda: len(scene.told()) == before + 1)
    fired = text(scene, number, "ActionFiredAt")
    assert change(scene, number, MatchingRule="//load > 6").status == 200
    until(lambda: text(scene, number, "ConditionTrueSince") > fired)
    assert text(scene, number, "ActionFiredAt") == fired
    # No alert was raised by the new rule, so that none ends.
    scene.say("edited", "<load>1</load>")
    until(lambda: not text(scene, number, "ConditionTrueSince"))
    assert scene.states()[before:] == ["fired"]
    destroy(scene, number)


def test_changes_are_done_as_a_whole_or_not_at_all(scene: TriggerScene) -> None:
    number = create(scene, "whole")
    wrong = [
        ({"TriggerName": "x", "TriggerStatus": "perhaps"}, "InvalidModificationFault", "perhaps"),
        ({"TriggerName": "x", "MatchingRule": "//["}, "InvalidModificationFault", "MatchingRule"),
        ({"TriggerName": "x", "MatchingRule": "//g:a"}, "InvalidModificationFault", "Namespace"),
        ({"TriggerName": "x", "ActionScript": "absent"}, "InvalidModificationFault", "absent"),
        ({"TriggerName": "x", "MinimumMatchTime": "-3"}, "InvalidModificationFault", "'-3'"),
        (
            {"TriggerName": "x", "InvalidityStartTime": "2026-01-01T00:00:00Z"},
            "InvalidModificationFault",
            "both there or neither",
        ),
        ({"TriggerName": "x", "TriggerID": "1"}, "UnableToModifyResourcePropertyFault", "read"),
        ({"TriggerName": "x", "Invented": "1"}, "InvalidResourcePropertyQNameFault", "Invented"),
        ({"TriggerName": "x" * 201}, "InvalidModificationFault", "201"),
        (
            {"StartTime": "2026-02-01T00:00:00Z", "EndTime": "2026-01-01T00:00:00Z"},
            "InvalidModificationFault",
            "EndTime",
        ),
    ]
    for values, fault, told in wrong:
        answer = change(scene, number, **values)
        assert answer.status == 500
        assert answer.fault[0] == fault, values
        assert told in answer.fault[1]
        assert text(scene, number, "TriggerName") == ""
    drafts = change(scene, number, family="gt4", TriggerStatus="perhaps")
    assert drafts.fault[0] == "InvalidSetResourcePropertiesRequestContentFault"
    destroy(scene, number)


def test_values_are_inserted_and_deleted(scene: TriggerScene) -> None:
    number = create(scene, "inserted")
    first, second = "xmlns:a=urn:a", "xmlns:b=urn:b"
    assert change(scene, number, step="Insert", NamespaceMappings=first).status == 200
    assert change(scene, number, step="Insert", NamespaceMappings=second).status == 200
    assert [one.text for one in read(scene, number, "NamespaceMappings")] == [first, second]
    times = {
        "InvalidityStartTime": "2026-01-01T00:00:00Z",
        "InvalidityEndTime": "2026-01-02T00:00:00Z",
    }
    assert change(scene, number, step="Insert", **times).status == 200
    assert text(scene, number, "InvalidityEndTime") == "2026-01-02T00:00:00.000Z"
    again = change(scene, number, step="Insert", StartTime="2026-01-01T00:00:00Z")
    assert again.status == 200
    again = change(scene, number, step="Insert", StartTime="2026-01-01T00:00:00Z")
    assert "there already" in again.fault[1]
    assert "both there or neither" in delete(scene, number, "InvalidityEndTime").fault[1]
    assert delete(scene, number, "StartTime").status == 200
    assert read(scene, number, "StartTime") == []
    assert "can't be deleted" in delete(scene, number, "MatchingRule").fault[1]
    assert delete(scene, number, "NamespaceMappings").status == 200
    assert read(scene, number, "NamespaceMappings") == []
    destroy(scene, number)


def test_the_service_tells_all_triggers_and_takes_no_more_than_it_may(
    scene: TriggerScene,
) -> None:
    made = [create(scene, f"many-{place}") for place in range(40)]
    rp = soap.NS["oasis"]["rp"]
    answer = soap.call(
        service(scene),
        f'<r:GetResourceProperty xmlns:r="{rp}" xmlns:m="{MORE}">m:Trigger</r:GetResourceProperty>',
    )
    found = [one.findtext(f"{{{TRIGGER}}}TriggerID") for one in answer.body]
    assert sorted(found) == sorted(made)
    refused = soap.call(
        service(scene),
        f'<m:CreateTrigger xmlns:m="{MORE}"><m:MonitoredURL>http://member.example.org/'
        "</m:MonitoredURL></m:CreateTrigger>",
    )
    assert "40 triggers" in refused.fault[1]
    for number in made:
        assert destroy(scene, number).status == 200


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "http://", "http://a b/", "http://x/" + "y" * 3000]
)
def test_an_address_that_can_not_be_watched_is_refused(scene: TriggerScene, url: str) -> None:
    body = (
        f'<m:CreateTrigger xmlns:m="{MORE}"><m:MonitoredURL>{url}</m:MonitoredURL>'
        "</m:CreateTrigger>"
    )
    answer = soap.call(service(scene), body)
    assert answer.status == 500
    assert answer.fault[0] == "BaseFault"
    assert "MonitoredURL" in answer.fault[1]


def test_the_key_may_be_in_a_header(scene: TriggerScene) -> None:
    number = create(scene, "header")
    header = (
        f'<k:TriggerResourceKey xmlns:k="http://mds.globus.org/2007/03/TriggerResourceKey">'
        f"{number}</k:TriggerResourceKey>"
    )
    rl = soap.NS["gt4"]["rl"]
    assert soap.call(service(scene), f'<r:Destroy xmlns:r="{rl}"/>', header=header).status == 200
    assert destroy(scene, number).fault[0] == "ResourceUnknownFault"


@pytest.mark.parametrize("query", ["wsdl", "wsdl=gt4"])
def test_zeep_makes_and_changes_a_trigger_by_the_wsdl(scene: TriggerScene, query: str) -> None:
    client = zeep.Client(f"{service(scene)}?{query}")
    made = client.service.CreateTrigger(MonitoredURL="http://member.example.org/zeep")
    # The reply has one part, which zeep unwraps: the children of the TriggerEPR.
    address = next(element.text for element in made if element.tag.endswith("}Address"))
    [binding] = [
        name for name in client.wsdl.bindings if name.endswith("TriggerServiceSOAPBinding")
    ]
    trigger = client.create_service(binding, address)
    name = etree.Element(f"{{{TRIGGER}}}TriggerName")
    name.text = "by zeep"
    trigger.SetResourceProperties(_value_1=[{"Update": {"_value_1": [name]}}])
    found = trigger.GetResourceProperty(etree.QName(TRIGGER, "TriggerName"))
    assert found[0].text == "by zeep"
    trigger.Destroy()
