"""The life of a registration in the log: a line for each fact, with group, entry and member."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests import soap
from tests.databases import DATABASES
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.waiting import until

CONFIG = """
[server]
workers = 1
[groups.Renewing]
sinks = ["index"]
on_duplicate = "renew"
"""
MEMBER = "http://127.0.0.1:1/told"
Line = dict[str, str]


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with with_tables(request.param, folder) as url:
        options = ["--database", url, "--log-format", "json"]
        with running_service(folder, config=CONFIG, options=options) as running:
            yield running


def lines(service: RunningService, message: str, **fields: str) -> list[Line]:
    """The lines with a message, or one that begins with it, and with these fields."""
    read = [json.loads(line) for line in service.logs().splitlines() if line.startswith("{")]
    return [
        line
        for line in read
        if line["message"].startswith(message)
        and all(line.get(name) == value for name, value in fields.items())
    ]


def told(service: RunningService, message: str, **fields: str) -> Line:
    """The one line that tells a fact, as soon as it is there."""
    (found,) = until(lambda: lines(service, message, **fields), what=f"{message} {fields}")
    return found


def test_each_fact_names_group_entry_and_member(service: RunningService) -> None:
    renewed, ended = soap.add(service.group, MEMBER), soap.add(service.group, MEMBER)
    assert soap.set_termination_time(renewed, "2041-01-01T00:00:00Z").status == 200
    assert soap.destroy(renewed).status == 200
    past = datetime.now(UTC) - timedelta(seconds=30)
    assert soap.set_termination_time(ended, past.isoformat()).status == 200
    for entry, facts in (
        (renewed, ["added", "renewed", "destroyed"]),
        (ended, ["added", "ended"]),
    ):
        for fact in facts:
            line = told(service, fact, entry=entry.key)
            assert (line["group"], line["member"]) == ("DefaultIndexService", MEMBER)
            assert line["level"] == "info"
        assert [line["message"] for line in lines(service, "", entry=entry.key)] == facts


def test_an_add_that_renews_a_duplicate_is_told_as_a_renewal(service: RunningService) -> None:
    group = f"{service.url}/wsrf/services/Renewing"
    entry, again = soap.add(group, MEMBER), soap.add(group, MEMBER)
    assert entry == again
    assert told(service, "renewed", entry=entry.key)["member"] == MEMBER
    assert len(lines(service, "added", entry=entry.key)) == 1


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_a_refused_add_names_the_member(service: RunningService, family: soap.Family) -> None:
    member = f"http://127.0.0.1:1/refused/{family}"
    config = soap.execution_config("no-such-probe")
    assert soap.call(service.group, soap.add_body(member, config, family=family)).status == 500
    line = told(service, "refused an Add: ", member=member)
    assert line["group"] == "DefaultIndexService"
    assert "no-such-probe" in line["message"]


def test_a_refused_add_without_a_member_is_a_line_as_well(service: RunningService) -> None:
    body = soap.add_body(MEMBER).replace("MemberEPR", "NoMember")
    assert soap.call(service.group, body).status == 500
    line = told(service, "refused an Add: the Add has no MemberEPR")
    assert "member" not in line


def test_of_many_that_expire_together_the_first_are_named_and_the_others_counted(
    service: RunningService,
) -> None:
    end = datetime.now(UTC) + timedelta(seconds=8)
    member = "http://127.0.0.1:1/together"
    for _ in range(30):
        soap.add(service.group, member, termination=end.isoformat())
    assert datetime.now(UTC) < end, "too slow to tell anything"
    line = told(service, "10 more entries expired")
    assert line["level"] == "info"
    named = lines(service, "expired", member=member)
    assert len({line["entry"] for line in named}) == len(named) == 20
    assert {line["group"] for line in named} == {"DefaultIndexService"}
