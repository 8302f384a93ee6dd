"""A view whose tables are asked, beside the evaluator; and a grammar of expressions for both."""

from __future__ import annotations

import random

from aggregator.view import properties
from aggregator.view.document import Document
from aggregator.view.fragments import entry_fragment
from aggregator.view.group_view import GroupView
from aggregator.view.query_messages import QueryResult
from aggregator.view.results import evaluate
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
            with found.lock:
                found.catch_up(found.some_behind(most=1_000_000))
        return self.once(expression)

    def evaluated(self, expression: str) -> tuple[bytes, bool]:
        """What the evaluator answers."""
        answer = evaluate(self.document, expression, NAMES, max_result=LARGE)
        return b"".join(answer.blocks), answer.is_text


def told(result: QueryResult) -> tuple[bytes, bool]:
    return b"".join(result.chunks), result.is_text
