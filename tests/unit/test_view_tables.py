"""Tables answer as the evaluator does, byte for byte, or leave the expression to it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from aggregator.errors import QueryFailed
from aggregator.view import properties
from aggregator.view.document import Document
from aggregator.view.fragments import entry_fragment
from aggregator.view.group_view import GroupView
from aggregator.view.query_messages import QueryResult
from aggregator.view.results import evaluate, scalar_text
from aggregator.view.tables.constants import cut, number
from aggregator.view.tables.parsing import plan_of
from aggregator.view.tables.tables import Tables
from aggregator.view.trees import GroupTree
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GT4

from .view_fakes import FACTS, NOW, FakeStore, an_entry

ROOT = properties.GROUP_ROOT
NAMES = {"sg": ns.GT4_SG, "wsa": ns.WSA_2004_03, "agg": ns.AGG, "g": "urn:g", "rl": ns.GT4_RL}
OTHERS = (
    properties.registration_count(start=0, last_change=0, total=3, rates=[(0.5, 60)]),
    properties.current_time(NOW, dialect=GT4),
    properties.termination_time(None, dialect=GT4),
)
LARGE = 2**26
VALUES = ("", "5", " 5 ", "1e3", "0.1", "12.345", "-3", "x", "site-07", "5x", "NaN", "٣", "1000")


def data_of(chance: random.Random) -> tuple[bytes, ...]:
    """What some member might publish: clusters side by side and in each other, or none."""
    return tuple(
        f'<g:Outer xmlns:g="urn:g" xmlns="urn:other"><plain/>{inner}</g:Outer>'.encode()
        for inner in (_cluster(chance, 2) for _ in range(chance.choice((0, 1, 1, 1, 2))))
    )


def _cluster(chance: random.Random, depth: int) -> str:
    attributes = "".join(
        f' {name}="{chance.choice(VALUES)}"'
        for name in ("g:Name", "Site", "n")
        if chance.random() < 0.8
    )
    inner = "".join(
        chance.choice(
            (
                f'<g:State Free="{chance.choice(VALUES)}">{chance.choice(VALUES)}</g:State>',
                "<!-- said --><?pi x?>text&lt;",
                f'<sg:Entry xmlns:sg="{ns.GT4_SG}" n="{chance.choice(VALUES)}"/>',
                _cluster(chance, depth - 1) if depth else "<Load xmlns=''>0.5</Load>",
                "<Load xmlns=''>1.25</Load>",
            )
        )
        for _ in range(chance.choice((0, 1, 2, 3)))
    )
    return f"<g:Cluster{attributes}>{inner}</g:Cluster>"


def an_expression(chance: random.Random) -> str:
    """One of a grammar that is wider than what tables take."""
    rows = chance.choice(
        (
            "//g:Cluster", "//sg:Entry", "/*/sg:Entry", "sg:Entry", ".//g:State", "//*", "//Load",
            "//agg:RegistrationCount", "//g:*", "/*/sg:Entry/sg:Content//g:Cluster", "//plain",
            "//g:Outer/g:Cluster",
        )
    )  # fmt: skip
    found = rows + "".join(
        f"[{_condition(chance, 2)}]" for _ in range(chance.choice((0, 1, 1, 1, 2)))
    )
    place = chance.choice(("", "", "", "", "[1]", "[3]", "[last()]", "[0]", "[2.5]"))
    if place:
        found = chance.choice((found + place, f"({found}){place}"))
    found += chance.choice(
        ("", "", "", "/@n", "/@g:Name", "//@*", "/g:State", "/text()", "//Load", "//g:State/@Free")
    )
    function = chance.choice(("", "", "", "count", "sum", "string", "number", "boolean", "not"))
    return f"{function}({found})" if function else found


def _condition(chance: random.Random, depth: int) -> str:
    if depth and chance.random() < 0.3:
        inner = (_condition(chance, depth - 1), _condition(chance, depth - 1))
        return chance.choice(("{} and {}", "{} or {}", "not({})", "({} or {})")).format(*inner)
    path = chance.choice(
        (
            "@g:Name", "@Site", "@n", "g:State", "g:State/@Free", ".//g:State", ".", ".//@n",
            "text()", "*", "Load", "sg:MemberServiceEPR/wsa:Address", ".//Load", "..",
        )
    )  # fmt: skip
    value = chance.choice(VALUES)
    constant = chance.choice((f"'{value}'", f'"{value}"', "5", "0.1", "1000", "12.345", ".5"))
    operator = chance.choice(("=", "=", "=", "!=", "<", "<=", ">", ">="))
    wrapped = chance.choice((path, path, path, *(f"{f}({path})" for f in _WRAPPING)))
    return chance.choice(
        (
            f"{wrapped} {operator} {constant}",
            f"{wrapped} {operator} {constant}",
            f"{constant} {operator} {wrapped}",
            f"contains({path}, '{value}')",
            f"starts-with({path}, '{value}')",
            path,
            f"{path} = {path}",
        )
    )


_WRAPPING = ("count", "string", "number", "string-length", "normalize-space")


def tables_of(most: int, *, max_result: int = LARGE) -> Tables:
    return Tables(most=most, max_result=max_result, max_expression=5000)


class Asked:
    """A view whose tables are asked, beside an evaluation on its tree."""

    def __init__(self, entries: int, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.store, self.view = FakeStore(), GroupView(FACTS)
        for entry_id in range(1, entries + 1):
            self.store.put(an_entry(entry_id, data=data_of(self.chance)), "added")
        self.refresh()
        self.tables = tables_of(10_000)

    def refresh(self) -> None:
        """Take in what changed in the store."""
        self.view.refresh(self.store, now=NOW)
        self.frame = self.view.frame(GT4)
        tree = GroupTree(self.view, GT4, root=ROOT)
        for _ in tree.catch_up():
            pass
        document = Document(
            ROOT,
            tree=tree.root,
            before=(),
            entries=lambda: self.view.entries(GT4, now=NOW),
            entry_fragment=self._fragment,
            after=OTHERS,
        )
        root = document.open()
        document.open = lambda: root  # type: ignore[method-assign]
        self.document = document

    def _fragment(self, key: str) -> bytes | None:
        entry = self.view.entry_by_key(key)
        return None if entry is None else entry_fragment(entry, self.frame)

    def once(self, expression: str) -> QueryResult | None:
        """What a table answers."""
        return self.tables.answer(
            self.view, self.frame, expression, NAMES, root=ROOT, others=lambda: OTHERS
        )

    def often(self, expression: str) -> QueryResult | None:
        """What a table answers once there is one, if there ever is."""
        for _ in range(3):
            self.once(expression)
        for found, _ in self.tables._tables.values():
            if found is not None:
                with found.lock:
                    found.catch_up(found.some_behind(most=1_000_000))
        return self.once(expression)

    def evaluated(self, expression: str) -> tuple[bytes, bool]:
        """What the evaluator answers."""
        answer = evaluate(self.document, expression, NAMES, max_result=LARGE)
        return b"".join(answer.blocks), answer.is_text


def told(result: QueryResult) -> tuple[bytes, bool]:
    return b"".join(result.chunks), result.is_text


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
    assert table is not None
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


def test_a_table_is_made_of_what_comes_again_and_again() -> None:
    asked = Asked(5)
    for name in range(2):
        assert asked.once(f"count(//g:Cluster[@g:Name = '{name}'])") is None
    assert not asked.tables._tables
    asked.once("count(//g:Cluster[@g:Name = 'other'])")
    assert len(asked.tables._tables) == 1


def test_no_more_tables_than_are_allowed_and_none_of_what_is_beside_the_entries() -> None:
    asked = Asked(5)
    asked.tables = tables_of(2)
    forms = ["count(//agg:RegistrationCount)", "count(//g:State)", "count(//g:Cluster)"]
    found = [asked.often(expression) for expression in forms]
    assert [one is None for one in found] == [True, False, True]
    none = tables_of(0)
    asked.tables = none
    assert asked.often(forms[1]) is None


def test_a_table_that_nobody_asks_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.view.tables.tables._LATELY", 0.0)
    asked = Asked(5)
    asked.tables = tables_of(1)
    for path in ("//g:State", "//g:Cluster"):
        monkeypatch.setattr("aggregator.view.tables.tables._OFTEN", 1)
        assert asked.often(f"count({path})") is not None
    assert len(asked.tables._tables) == 1
    assert len(asked.view._watchers) == 2  # the tree's and the table's


def test_a_result_that_is_too_large_is_refused() -> None:
    asked = Asked(30)
    asked.tables = tables_of(10, max_result=1000)
    with pytest.raises(QueryFailed, match="more than 1000 bytes"):
        asked.often("//sg:Entry[@n or .]")


@pytest.mark.parametrize(
    "data",
    [
        b"<g:Cluster xmlns:g='urn:g' n='5'>" + b"<x>1</x>" * 10_000 + b"</g:Cluster>",
        b"<x xmlns:g='urn:g'>" + b"<g:Cluster/>" * 65 + b"</x>",
        b"<g:Cluster xmlns:g='urn:g'>" + b"<g:State/>" * 1001 + b"</g:Cluster>",
        b"<g:Cluster xmlns:g='urn:g'>" * 40 + b"x" * 5000 + b"</g:Cluster>" * 40,
    ],
    ids=["large", "rows", "values", "text"],
)
def test_one_entry_that_has_too_much_leaves_all_to_the_evaluator(data: bytes) -> None:
    asked = Asked(5, seed=5)
    expression = "count(//g:Cluster[.//g:State = 'x' or contains(., 'y')])"
    assert asked.often(expression) is not None
    asked.store.put(an_entry(99, data=(data,)), "added")
    asked.refresh()
    assert asked.once(expression) is None
    asked.store.remove(99)
    asked.refresh()
    found = asked.once(expression)
    assert found is not None
    assert told(found) == asked.evaluated(expression)


def test_a_table_that_would_hold_too_much_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.view.tables.table._MOST_IN_ALL", 10)
    assert Asked(30, seed=6).often("count(//g:Cluster[contains(., 'x')])") is None


@pytest.mark.parametrize("text", [*VALUES, "5.", "0.30000000000000004", "9" * 30, "\u20035"])
def test_numbers_are_those_of_the_evaluator(text: str) -> None:
    wanted, _ = Asked(1).evaluated(f"number('{text}')")
    assert scalar_text(number(text)).encode() == wanted


@pytest.mark.parametrize("text", ["5", "5.", ".5", "12.345", "9" * 30, "0.30000000000000004"])
def test_literal_numbers_are_those_of_the_evaluator(text: str) -> None:
    wanted, _ = Asked(1).evaluated(text)
    template, [found] = cut(text)
    assert template == "\x02"
    assert isinstance(found, float)
    assert scalar_text(found).encode() == wanted
