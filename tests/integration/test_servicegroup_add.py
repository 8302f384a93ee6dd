"""``mds-servicegroup-add`` as a process, against the real service."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from tests import soap
from tests.integration.commands import (
    block,
    entries,
    registrant,
    run,
    stub,
    time_left,
    write_registrations,
)
from tests.service import RunningService
from tests.soap import AGG, Family
from tests.waiting import until

pytestmark = pytest.mark.long

FAMILIES: list[Family] = ["gt4", "oasis"]


@pytest.fixture
def member(request: pytest.FixtureRequest) -> str:
    """A member that no other test registers."""
    return f"http://127.0.0.1:1/{request.node.name.replace('[', '/').replace(']', '')}"


@pytest.mark.parametrize("family", FAMILIES)
def test_once_registers_and_ends(group: str, tmp_path: Path, member: str, family: Family) -> None:
    blocks = [block(f"{member}/{n}") for n in range(3)]
    file = write_registrations(tmp_path, *blocks, group=group, family=family)
    ended = run("mds-servicegroup-add", "-a", "--once", file)
    assert ended.status == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[:2] == ["Processing configuration file...", "Processed 3 registration entries"]
    assert sorted(lines[2:5]) == [
        f"Successfully registered {member}/{n} to servicegroup at {group}" for n in range(3)
    ]
    assert lines[5:] == ["3 of 3 registrations stood at the end"]
    for n in range(3):
        (entry,) = entries(group, f"{member}/{n}", family)
        assert 100 < time_left(soap.EntryReference(entry, "", "")) <= 120


def test_what_is_collected_is_what_the_file_says(group: str, tmp_path: Path, member: str) -> None:
    config = soap.get_property_config("w:foo", millis=3_600_000, declare='xmlns:w="urn:w"')
    file = write_registrations(tmp_path, block(member, config=config), group=group)
    assert run("mds-servicegroup-add", "-a", "--once", file).status == 0
    (found,) = [entry for entry in soap.entries(group) if member in "".join(entry.itertext())]
    (name,) = found.iter(f"{{{AGG}}}ResourcePropertyName")
    assert name.text == "w:foo"
    assert name.nsmap["w"] == "urn:w"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_registration_is_kept_alive_and_lapses_with_its_registrant(
    group: str, tmp_path: Path, member: str, family: Family
) -> None:
    file = write_registrations(tmp_path, block(member, interval=2), group=group, family=family)
    with registrant(tmp_path, file) as running:
        (first,) = until(lambda: entries(group, member))
        for _ in range(6):
            time.sleep(1)
            assert entries(group, member) == [first]
        ended = running.end()
    assert ended.status == 0, ended.err
    assert ended.out.count("Successfully registered") == 1
    assert ended.out.endswith("Exiting...\n1 of 1 registrations stood at the end\n")
    until(lambda: not entries(group, member), within=6)


def test_an_entry_that_somebody_destroyed_is_added_again(
    group: str, tmp_path: Path, member: str
) -> None:
    file = write_registrations(tmp_path, block(member, interval=2), group=group)
    with registrant(tmp_path, file) as running:
        (first,) = until(lambda: entries(group, member))
        soap.destroy(soap.EntryReference(first, "", ""))
        (second,) = until(lambda: entries(group, member))
        assert second != first
        until(lambda: running.out.count("Successfully registered") == 2)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_remove_ends_the_registrations(
    group: str,
    tmp_path: Path,
    member: str,
    family: Family,
    number: signal.Signals,
) -> None:
    file = write_registrations(tmp_path, block(member, interval=600), group=group, family=family)
    with registrant(tmp_path, "--remove", file) as running:
        until(lambda: "Successfully registered" in running.out)
        ended = running.end(number)
    assert ended.status == 0, ended.err
    assert f"Removed {member} from servicegroup at {group}" in ended.out
    assert entries(group, member) == []


def test_the_command_line_names_the_group_where_the_file_does_not(
    group: str, tmp_path: Path, member: str
) -> None:
    file = write_registrations(tmp_path, block(member))
    ended = run("mds-servicegroup-add", "-a", "--once", file)
    assert ended.status == 2
    assert ended.err == (
        f"error: {file}: registration 1 (member {member}): no ServiceGroupEPR, and no "
        "defaultServiceGroupEPR or -s to stand in\n"
    )
    assert run("mds-servicegroup-add", "-a", "--once", "-s", group, file).status == 0
    assert len(entries(group, member)) == 1


def test_the_file_wins_over_the_command_line(group: str, tmp_path: Path, member: str) -> None:
    file = write_registrations(tmp_path, block(member), group=group)
    ended = run("mds-servicegroup-add", "-a", "--once", "-s", "http://127.0.0.1:1/none", file)
    assert ended.status == 0, ended.err


def test_one_member_in_several_groups(group: str, tmp_path: Path, member: str) -> None:
    with stub() as other:
        groups = [group, other]
        file = write_registrations(tmp_path, *(block(member, group=group) for group in groups))
        assert run("mds-servicegroup-add", "-a", "--once", file).status == 0
        assert [len(entries(group, member)) for group in groups] == [1, 1]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_default_member_in_the_groups_that_the_file_names(
    served: RunningService, tmp_path: Path, member: str, family: Family
) -> None:
    """Both default EPRs stand in where a block is silent, and nowhere else."""
    default, named, other = (served.next_group() for _ in range(3))
    own = re.compile("<RegistrantEPR>.*</RegistrantEPR>", re.DOTALL)
    blocks = [own.sub("", block("")), own.sub("", block("", group=named))]
    blocks.append(block(f"{member}/own", group=other))
    file = Path(write_registrations(tmp_path, *blocks, group=default, family=family))
    end = "</defaultServiceGroupEPR>"
    epr = f"<defaultRegistrantEPR><wsa:Address>{member}</wsa:Address></defaultRegistrantEPR>"
    file.write_text(file.read_text().replace(end, end + epr))
    ended = run("mds-servicegroup-add", "-a", "--once", str(file))
    assert ended.status == 0, ended.err
    expected = {default: member, named: member, other: f"{member}/own"}
    for group, address in expected.items():
        assert f"Successfully registered {address} to servicegroup at {group}\n" in ended.out
        (entry,) = soap.entries(group)
        assert entry.findtext("{*}MemberServiceEPR/{*}Address") == address


def test_a_refusal_is_told_by_name(group: str, tmp_path: Path, member: str) -> None:
    config = (
        "<agg:AggregatorConfig><agg:NoSuchPollType><agg:PollIntervalMillis>60000"
        "</agg:PollIntervalMillis></agg:NoSuchPollType></agg:AggregatorConfig>"
    )
    file = write_registrations(
        tmp_path, block(member, config=config), block(f"{member}/2"), group=group
    )
    ended = run("mds-servicegroup-add", "-a", "--once", file)
    assert ended.status == 1
    assert len(ended.err.splitlines()) == 1
    assert f"Warning: Could not register {member} to " in ended.err
    assert "AddRefusedFault: " in ended.err
    assert ended.out.endswith("1 of 2 registrations stood at the end\n")


RULE = """<agg:GetResourcePropertyPollType xmlns:glue="http://mds.globus.org/glue/ce/1.1">
  <agg:PollIntervalMillis>60000</agg:PollIntervalMillis>
  <agg:ResourcePropertyName>glue:GLUECE</agg:ResourcePropertyName>
</agg:GetResourcePropertyPollType>
<trigger:TriggerRuleType xmlns:trigger="http://mds.globus.org/2004/08/trigger/types">
  <trigger:matchingRule>//*[local-name()='GLUECE']</trigger:matchingRule>
  <trigger:actionScript>glue-trigger-action.sh</trigger:actionScript>
  <trigger:minimumFiringInterval>600</trigger:minimumFiringInterval>
</trigger:TriggerRuleType>"""
UNBUILT = {
    "rule": (RULE, "TriggerRuleType: it is for the sink trigger, which this group does not have"),
}


@pytest.mark.parametrize("asked", UNBUILT)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_type_of_mds4_that_the_group_has_no_sink_for_is_refused_by_name(
    group: str, tmp_path: Path, member: str, family: Family, asked: str
) -> None:
    types, refusal = UNBUILT[asked]
    config = f"<agg:AggregatorConfig>{types}</agg:AggregatorConfig>"
    file = write_registrations(tmp_path, block(member, config=config), group=group, family=family)
    ended = run("mds-servicegroup-add", "-a", "--once", file)
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith(f"Warning: Could not register {member} to servicegroup at {group}")
    assert refusal in line
    assert soap.entries(group) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_group_of_mds4_that_is_not_there_is_refused_by_name(
    served: RunningService, group: str, tmp_path: Path, member: str, family: Family
) -> None:
    """The other registrations of the file stand all the same."""
    absent = f"{served.url}/wsrf/services/BigIndexService"
    blocks = [block(f"{member}/1", group=absent), block(f"{member}/2")]
    file = write_registrations(tmp_path, *blocks, group=group, family=family)
    ended = run("mds-servicegroup-add", "-a", "--once", file)
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith(f"Warning: Could not register {member}/1 to servicegroup at {absent}")
    reason = line.partition(absent)[2]
    assert "ResourceUnknownFault" in reason
    assert "BigIndexService" in reason
    assert ended.out.endswith("1 of 2 registrations stood at the end\n")
    assert len(entries(group, f"{member}/2")) == 1


def test_the_entries_are_written_for_other_commands(
    group: str, tmp_path: Path, member: str
) -> None:
    eprs = tmp_path / "eprs.xml"
    file = write_registrations(tmp_path, block(member), group=group)
    assert run("mds-servicegroup-add", "-a", "--once", "-o", str(eprs), file).status == 0
    assert len(entries(group, member)) == 1
    assert run("wsrf-destroy", "-e", str(eprs)).status == 0
    assert entries(group, member) == []


def test_quit_and_pidfile(group: str, tmp_path: Path, member: str) -> None:
    file = write_registrations(tmp_path, block(member), group=group)
    pid = tmp_path / "registrant.pid"
    with registrant(tmp_path, "-q", "15", "--pidfile", str(pid), file) as running:
        until(pid.exists)
        until(lambda: pid.read_text() == f"{running.process.pid}\n")
        other = run("mds-servicegroup-add", "-a", "--pidfile", str(pid), file)
        assert other.status == 2
        assert other.err.startswith(f"error: --pidfile {pid} belongs to process")
        assert running.process.wait(40) == 0
    assert not pid.exists()
    assert len(entries(group, member)) == 1
