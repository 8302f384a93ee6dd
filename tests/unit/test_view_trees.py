"""The tree that expressions run on, patched; and the bytes that results are made of."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from lxml import etree

from aggregator.errors import InvalidQuery, QueryFailed
from aggregator.view.document import Document
from aggregator.view.fragments import entry_fragment
from aggregator.view.group_view import GroupView
from aggregator.view.query_messages import (
    QueryRequest,
    ReplyHead,
    error_head,
    frame,
    read_head,
    read_request,
)
from aggregator.view.results import evaluate
from aggregator.view.trees import GroupTree
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GT4

from .view_fakes import FACTS, NOW, FakeStore, an_entry

ROOT = "{http://mds.globus.org/index}IndexRP"
PREFIXES = {"sg": ns.GT4_SG, "agg": ns.AGG, "w": "http://widgets.com"}


def exhaust(tree: GroupTree) -> None:
    for _ in tree.catch_up():
        pass


def test_any_history_of_patches_gives_the_tree_of_the_view() -> None:
    chance = random.Random(3)
    store, view = FakeStore(), GroupView(FACTS)
    view.refresh(store, now=NOW)
    tree = GroupTree(view, GT4, root=ROOT)
    for step in range(100):
        for _ in range(chance.choice((1, 2, 90))):
            known = list(store.entries)
            if not known or chance.random() < 0.5:
                entry_id = max(1, len(store.log) * 2 - chance.choice((0, 0, 0, 201)))
                store.put(an_entry(entry_id, termination=NOW + chance.randrange(1, 400)), "added")
            elif chance.random() < 0.5:
                store.remove(chance.choice(known))
            else:
                old = store.entries[chance.choice(known)]
                store.put(replace(old, data=(b"<n>%d</n>" % step,)))
        view.refresh(store, now=NOW + step)
        view.expire(NOW + step)
        exhaust(tree)
        anew = GroupTree(view, GT4, root=ROOT)
        exhaust(anew)
        assert etree.tostring(tree.root) == etree.tostring(anew.root)
        joined = b"".join(view.entries(GT4, now=NOW + step))
        assert said(tree.root) == said(etree.fromstring(b"<root>" + joined + b"</root>"))


def said(root: etree._Element) -> list[tuple[str, str | None]]:
    """All elements below the root with their texts; prefixes are no part of what they say."""
    return [(str(node.tag), node.text) for node in root.iterdescendants()]


@pytest.fixture
def view() -> GroupView:
    store, view = FakeStore(), GroupView(FACTS)
    for i in (1, 2, 3):
        store.put(an_entry(i), "added")
    view.refresh(store, now=NOW)
    return view


@pytest.fixture
def document(view: GroupView) -> Document:
    tree = GroupTree(view, GT4, root=ROOT)
    exhaust(tree)

    def fragment(key: str) -> bytes | None:
        entry = view.entry_by_key(key)
        return None if entry is None else entry_fragment(entry, view.frame(GT4))

    return Document(
        ROOT,
        tree=tree.root,
        before=[b'<rule xmlns:q="http://mds.globus.org/index" of="q:x"/>'],
        entries=lambda: view.entries(GT4, now=NOW),
        entry_fragment=fragment,
        after=[b"<time/>"],
    )


def ask(document: Document, expression: str, *, max_result: int = 10**9) -> bytes:
    answer = evaluate(document, expression, PREFIXES, max_result=max_result)
    return b"".join(answer.blocks)


def test_entries_are_answered_byte_for_byte(view: GroupView, document: Document) -> None:
    entry = view.entry_by_id(2)
    assert entry is not None
    assert ask(document, "//sg:Entry[2]") == entry_fragment(entry, view.frame(GT4))


@pytest.mark.parametrize("expression", ["''", "//sg:Nothing", "string(//sg:Nothing)"])
def test_an_empty_result_has_no_block(document: Document, expression: str) -> None:
    """Who waits for the blocks that were announced would be gone before an empty one is sent."""
    assert evaluate(document, expression, PREFIXES, max_result=10).blocks == []


def test_the_whole_is_all_parts_in_order(view: GroupView, document: Document) -> None:
    joined = b"".join(view.entries(GT4, now=NOW))
    whole = ask(document, "/*")
    assert joined in whole
    assert [etree.QName(part).localname for part in etree.fromstring(whole)] == [
        "rule",
        *["Entry"] * 3,
        "time",
    ]


def test_parts_beside_entries_keep_their_prefixes(document: Document) -> None:
    assert b'xmlns:q="http://mds.globus.org/index"' in ask(document, "/*/rule")
    assert b"time" in ask(document, "/*/time")


def test_inner_nodes_keep_the_declarations_of_their_entry(document: Document) -> None:
    found = etree.fromstring(ask(document, "(//agg:ResourcePropertyName)[3]"))
    assert found.text == "s:Entry"
    assert found.nsmap["s"] == ns.GT4_SG


def test_every_inner_node_is_found_again(view: GroupView, document: Document) -> None:
    entry = view.entry_by_id(3)
    assert entry is not None
    alone = etree.fromstring(entry_fragment(entry, view.frame(GT4)))
    wanted = b"".join(etree.tostring(node, with_tail=False) for node in alone.iterdescendants())
    assert ask(document, "//sg:Entry[3]//*") == wanted


def test_a_result_that_is_too_large_is_refused(document: Document) -> None:
    with pytest.raises(QueryFailed, match="more than 1000 bytes"):
        ask(document, "//sg:Entry", max_result=1000)


def test_errors_of_grammar_and_of_evaluation(document: Document) -> None:
    with pytest.raises(InvalidQuery, match=r"no XPath 1\.0"):
        ask(document, "//[")
    with pytest.raises(QueryFailed, match="Invalid type"):
        ask(document, "count(1)")


def test_messages_come_back_as_they_went() -> None:
    request = QueryRequest("Group", None, "gt4", "//é", {"p": "urn:p"}, 7, "one")
    assert replace(read_request(frame(request)[4:]), documents=()) == request
    asked = replace(request, documents=[({"{urn:x}a": "1"}, "<é/>")])
    ((labels, text),) = read_request(frame(asked)[4:]).documents
    assert (labels, text) == ({"{urn:x}a": "1"}, "<é/>")
    head = ReplyHead(is_text=True, blocks=[1, 2])
    assert read_head(frame(head)[4:]) == head


def test_errors_keep_their_kind_over_the_wire() -> None:
    with pytest.raises(InvalidQuery, match="why"):
        read_head(frame(error_head(InvalidQuery("why")))[4:]).check()
    with pytest.raises(QueryFailed, match="else"):
        ReplyHead(error="NewKind", message="else").check()
