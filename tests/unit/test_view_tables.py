"""Tables answer as the evaluator does, byte for byte, or leave the expression to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aggregator.view.tables.constants import cut
from aggregator.view.tables.parsing import plan_of

from .tables_kit import NAMES, Asked, an_expression, data_of, told
from .view_fakes import an_entry


def test_what_tables_answer_is_what_the_evaluator_answers() -> None:
    asked = Asked(40)
    answered = 0
    for _ in range(2_000):
        expression = an_expression(asked.chance)
        found = asked.often(expression)
        if found is not None:
            answered += 1
            assert told(found) == asked.evaluated(expression), expression
    assert answered > 500


def test_tables_follow_every_change() -> None:
    asked = Asked(30, seed=2)
    expressions = [
        "//g:Cluster[@g:Name = '5']", "count(//g:State[@Free > 0.5])", "//sg:Entry[4]",
        "//sg:Entry[.//g:State = 'x']", "sum(//g:Cluster[@Site]/@n)", "(//g:Cluster)[last()]",
        "//g:Cluster[@n = 5 and @Site != 'x']/@g:Name",
    ]  # fmt: skip
    for expression in expressions:
        asked.often(expression)
    for _ in range(60):
        for _ in range(asked.chance.choice((1, 3))):
            known = list(asked.store.entries)
            dice = asked.chance.random()
            if dice < 0.3 or not known:
                entry = an_entry(
                    2 * len(asked.store.log) + asked.chance.choice((0, -41)) + 100,
                    data=data_of(asked.chance),
                )
                asked.store.put(entry, "added")
            elif dice < 0.5:
                asked.store.remove(asked.chance.choice(known))
            else:
                old = asked.store.entries[asked.chance.choice(known)]
                asked.store.put(replace(old, data=data_of(asked.chance)))
        asked.refresh()
        answered = 0
        for expression in expressions:
            found = asked.once(expression)
            if found is not None:
                answered += 1
                assert told(found) == asked.evaluated(expression), expression
        assert answered >= 3


def test_rows_and_their_nodes_are_of_one_moment() -> None:
    """A reader may bring the view up while another one is answered from the table."""
    asked = Asked(20, seed=3)
    asked.often("//g:Cluster[@n]")
    [(table, _)] = asked.tables._tables.values()
    hits = list(table.hits(None, []))
    before = {entry: table.nodes(entry) for entry, _, _ in hits}
    table._kept.clear()
    for entry_id in list(asked.store.entries):
        asked.store.put(replace(asked.store.entries[entry_id], data=()))
    asked.refresh()
    assert len(hits) > 10
    assert {entry: table.nodes(entry) for entry, _, _ in hits} == before


def test_a_table_that_missed_much_is_filled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.view.tables.tables._MOST_BEHIND", 5)
    asked = Asked(30, seed=4)
    expression = "count(//g:Cluster)"
    for _ in range(4):
        found = asked.once(expression)
    assert found is not None  # it was waited for
    for entry_id in list(asked.store.entries):
        asked.store.put(replace(asked.store.entries[entry_id], data=data_of(asked.chance)))
    asked.refresh()
    found = asked.once(expression)
    assert found is not None
    assert told(found) == asked.evaluated(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "//g:Cluster[@g:Name = 'x']", "//g:Cluster[@g:Name='x' and @n > 5]", "count(//g:Cluster)",
        "//sg:Entry[sg:MemberServiceEPR/wsa:Address = 'http://x/']", "//sg:Entry[7]",
        "(//g:Cluster)[7]", "//sg:Entry[contains(sg:MemberServiceEPR/wsa:Address, 'x')]",
        "//g:Cluster[starts-with(@g:Name, 'x')]/@Site", "string(//g:Cluster[@n = 5]/@g:Name)",
        "sum(//g:State[@Free < 3]/@Free)", "//sg:Entry[.//g:Cluster[1]]", "sg:Entry[@x = 'y']",
        "boolean(//g:Cluster[not(@n = 5) or 3 < @n])", "//g:Cluster/@n", "//g:Cluster/text()",
    ],
)  # fmt: skip
def test_common_forms_have_a_plan(expression: str) -> None:
    template, constants = cut(expression)
    plan = plan_of(template, NAMES)
    assert (plan is None) is (".//g:Cluster[1]" in expression)
    other, _ = cut(expression.replace("x'", "y'").replace("5", "66"))
    assert other == template
    assert len(constants) == template.count("\x01") + template.count("\x02")


@pytest.mark.parametrize(
    "expression",
    [
        "//g:Cluster[@x = 'y'", "//g:Cluster[position() = 2]", "//nobody:x[@y = 1]", "$x", "1 + 1",
        "//g:Cluster[@n * 2 = 4]", "//g:Cluster/..", "//g:Cluster[../@n = 1]", "//@n[. = 5]",
        "id('x')", "//g:Cluster[lang('en')]", "//g:Cluster | //g:State", "//g:Cluster[g:f(1)]",
        "//g:Cluster[child::x]", "/", "//", "", "//g:Cluster[5 = 5]", "//g:Cluster[count(x)]",
        "//g:Cluster\u00a0[@n = 5]", "(//g:Cluster/@n)[2]", "//g:Cluster//g:State[@n = 5]",
        "//g:Cluster[.//g:State//@n = 5]", f"//g:Cluster[@n = 5 or {'@x or ' * 16} @y]",
    ],
)  # fmt: skip
def test_other_forms_are_left_to_the_evaluator(expression: str) -> None:
    assert plan_of(cut(expression)[0], NAMES) is None
