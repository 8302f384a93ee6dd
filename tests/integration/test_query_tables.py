"""Forms of XPath that come again and again: answered from tables, always as the evaluator would."""

from __future__ import annotations

import re
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests import soap
from tests.integration import each_database
from tests.service import RunningService
from tests.soap import AGG, NS, EntryReference, Family
from tests.waiting import until

service = each_database.service
CONFIG = """
[groups.Plain]
require_source = false
[groups.Ending]
require_source = false
"""
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")
FORMS = (
    "//w:widget[@name='{name}']",
    "//sg:Entry[sg:MemberServiceEPR/wsa:Address='http://m/{name}']",
    "count(//w:widget[@size > {size}])",
    "//w:widget[w:part = {size}]/@name",
    "//sg:Entry[{size}]",
)


def add(group: str, name: str, size: int, family: Family, termination: str = "") -> EntryReference:
    """Register a member that publishes a widget."""
    widget = (
        f'<w:widget xmlns:w="urn:w" name="{name}" size="{size}"><w:part>{size}</w:part></w:widget>'
    )
    content = f'<agg:AggregatorData xmlns:agg="{AGG}">{widget}</agg:AggregatorData>'
    time = termination and f"<sg:InitialTerminationTime>{termination}</sg:InitialTerminationTime>"
    sg, wsa = NS[family]["sg"], NS[family]["wsa"]
    answer = soap.call(
        group,
        f'<sg:Add xmlns:sg="{sg}" xmlns:wsa="{wsa}"><sg:MemberEPR><wsa:Address>http://m/{name}'
        f"</wsa:Address></sg:MemberEPR><sg:Content>{content}</sg:Content>{time}</sg:Add>",
    )
    return soap.entry_of(answer, family)


def ask(group: str, expression: str, family: Family) -> str:
    """What is in the QueryResourcePropertiesResponse."""
    declared = f'xmlns:w="urn:w" xmlns:sg="{NS[family]["sg"]}" xmlns:wsa="{NS[family]["wsa"]}"'
    answer = soap.query(group, expression, family=family, declare=declared)
    assert answer.status == 200, answer.content
    [found] = re.findall(
        r"<rp:QueryResourcePropertiesResponse [^>]*>(.*)</rp:", answer.content.decode(), re.S
    )
    return found


def as_evaluated(group: str, expression: str, family: Family) -> str:
    """The same, in a form that no table is made of."""
    other = f"{expression} + 0" if expression.startswith("count(") else f"{expression} | //w:none"
    return ask(group, other, family)


def by_tables(service: RunningService) -> float:
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith('aggregator_queries_answered_total{by="table"}')
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_tables_answer_as_the_evaluator_does(service: RunningService, family: Family) -> None:
    group = f"{service.url}/wsrf/services/Plain"
    known = [f"{family}-{number}" for number in range(8)]
    for number, name in enumerate(known):
        add(group, name, number, "oasis" if number % 2 else "gt4")
    before = by_tables(service)
    for turn in range(12):
        for form in FORMS:
            size = turn % 6 + 1
            expression = form.format(name=known[size], size=size)
            found = ask(group, expression, family)
            assert found == as_evaluated(group, expression, family), expression
            assert found
    assert by_tables(service) >= before + len(FORMS)


def test_a_change_that_was_acknowledged_is_in_every_answer(service: RunningService) -> None:
    group = f"{service.url}/wsrf/services/Ending"
    names = "//w:widget[@size > 0]/@name"
    for number in range(1, 11):
        entry = add(group, f"n{number}", number, "oasis")
        for _ in range(3):
            assert len(ask(group, names, "oasis").split()) == number
    assert soap.destroy(entry).status == 200
    for _ in range(3):
        assert "n10" not in ask(group, names, "oasis").split()


def test_an_entry_that_has_expired_is_in_no_answer(service: RunningService) -> None:
    group = f"{service.url}/wsrf/services/Ending"
    soon = (datetime.now(UTC) + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    add(group, "brief", 1000, "oasis", soon)
    brief = "count(//w:widget[@name='brief'])"
    seen = []
    until(lambda: seen.append(ask(group, brief, "oasis")) or seen[-1] == "0", within=30)
    assert seen[0] == "1"
    assert datetime.now(UTC).isoformat() > soon[:-1]
    assert by_tables(service) > 0
