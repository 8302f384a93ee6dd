"""Keys of metadata stores, and a store that is written anew while it is read: of both kinds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from aggregator.measurement import file_store
from aggregator.measurement.basex import BasexSession
from aggregator.measurement.building import build
from aggregator.measurement.metadata_store import MetadataStore, StoreUnreadable, contents, keys_of
from aggregator.measurement.xmldb_store import XmldbStore
from aggregator.wire.parse import Element
from tests.integration.measurement_kit import (
    ALL,
    KINDS,
    TESTS,
    asked,
    content,
    found,
    ids,
    made_store,
    measured,
    parameters,
)
from tests.integration.own_basex import OwnBasex, basex  # noqa: F401
from tests.waiting import until

MORE = measured("bwctl", "10.9.9.9", "10.9.9.8")


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MetadataStore:
    """An empty store of each kind, of this test alone."""
    return made_store(request.param, request, tmp_path)


def canonical(element: Element) -> bytes:
    """An element as it is, whatever its prefixes were declared around it."""
    return etree.tostring(element, method="c14n", exclusive=True, with_tail=False)


def keys(store: MetadataStore) -> list[str]:
    """All keys, in the order of the store."""
    return [data.ma_key for one in found(store, asked("")) for data in one.data]


def test_a_key_finds_its_pair(store: MetadataStore) -> None:
    store.replace(content())
    for one in found(store, asked("")):
        for data in one.data:
            with store.opened() as opened:
                pair = opened.by_key(data.ma_key)
            assert pair is not None
            assert pair.data == data
            assert pair.metadata is not None
            assert (pair.metadata.id, pair.metadata.data) == (one.id, one.data)
            assert canonical(pair.metadata.element) == canonical(one.element)


def test_both_kinds_tell_the_same(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    told = []
    for kind in KINDS:
        one = made_store(kind, request, tmp_path)
        one.replace(content())
        with one.opened() as opened:
            everything = opened.all()
        told.append([(each.id, each.data, canonical(each.element)) for each in everything])
    assert told[0] == told[1]
    assert len(told[0]) == len(ALL)


@pytest.mark.parametrize(
    "key", ["", "0" * 32, "'", '"', "$v0", "metadata-0", "x" * 100_000, "\x00"]
)
def test_a_key_that_is_unknown_finds_nothing(store: MetadataStore, key: str) -> None:
    store.replace(content())
    with store.opened() as opened:
        assert opened.by_key(key) is None


def test_of_two_with_one_key_or_id_the_first_counts(store: MetadataStore) -> None:
    root = build([TESTS[0], TESTS[0], TESTS[1]])
    same = deepcopy(root[4])
    same.set("id", "metadata-0")
    root.append(same)
    store.replace(root)
    assert ids(store, asked("")) == ["metadata-0", "metadata-1", "metadata-2"]
    assert ids(store, asked(parameters(("protocol", "UDP")))) == ["metadata-2"]
    with store.opened() as opened:
        pair = opened.by_key(keys(store)[1])
    assert pair is not None
    assert pair.metadata is not None
    assert pair.metadata.id == "metadata-0"


def test_a_key_takes_no_search(store: MetadataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.replace(content())
    [first, *others] = keys(store)
    with store.opened() as opened:
        assert opened.by_key(first)
    evaluated: list[str] = []
    _count(monkeypatch, evaluated)
    for key in (first, *others, "unknown"):
        with store.opened() as opened:
            opened.by_key(key)
    searches = [one for one in evaluated if not _is_of_keys(one)]
    assert searches == []
    # Of the version and of a pair by its ids; the hash was made once.
    assert len(evaluated) in (0, 2 * len([first, *others]) + 1)
    with store.opened() as opened:
        opened.search(asked(""))
    assert len([one for one in evaluated if not _is_of_keys(one)]) == 1


def _count(monkeypatch: pytest.MonkeyPatch, evaluated: list[str]) -> None:
    """Note every XPath and every XQuery that a store has evaluated."""
    original = BasexSession.query
    compile: Callable[..., Any] = etree.XPath

    def query(self: BasexSession, text: str, *values: Any) -> str:
        evaluated.append(text)
        return original(self, text, *values)

    def xpath(text: str, **named: Any) -> Any:
        evaluated.append(text)
        return compile(text, **named)

    monkeypatch.setattr(BasexSession, "query", query)
    monkeypatch.setattr(file_store.etree, "XPath", xpath)


def _is_of_keys(text: str) -> bool:
    return any(one in text for one in ("@id = $metadata", '"missing")', "/keys/string()"))


def test_a_rebuild_keeps_keys_and_forgets_what_is_gone(store: MetadataStore) -> None:
    store.replace(build(TESTS))
    before = keys(store)
    for tests in ((MORE, *TESTS[1:]), (MORE, *TESTS)):
        store.replace(build(tests))
        with store.opened() as opened:
            assert (opened.by_key(before[0]) is None) == (TESTS[0] not in tests)
            for key in before[1:]:
                pair = opened.by_key(key)
                assert pair is not None
                assert pair.metadata is not None
                assert pair.metadata.id == next(
                    one.id for one in opened.all() if one.data[0].ma_key == key
                )


def test_what_is_the_same_is_not_written(store: MetadataStore) -> None:
    assert store.replace(content())
    assert not store.replace(content())
    assert store.replace(content(MORE))
    assert not store.replace(content(MORE))
    assert store.replace(build(()))
    assert ids(store, asked("")) == []
    assert not store.replace(build(()))


def test_readers_see_the_old_content_or_the_new(store: MetadataStore) -> None:
    generations = [
        build([measured("bwctl", f"10.0.0.{n}", "b", tos=str(g)) for n in range(40)])
        for g in range(2)
    ]
    expected = [set(keys_of(contents(one))) for one in generations]
    store.replace(generations[0])
    stop, wrong, seen = threading.Event(), [], [0, 0]

    def read(number: int) -> None:
        while not stop.is_set():
            with store.opened() as opened:
                every = opened.all()
                told = {one.data[0].ma_key for one in every}
                if told not in expected or len(every) != 40:
                    wrong.append(f"{len(every)} of {len(told)}")
                    return
                seen[expected.index(told)] += 1
                tos = parameters(("tos", "0"), ("tos", "1"))
                if len(opened.search(asked(tos))) != 40:
                    wrong.append("search")
                pairs = [opened.by_key(sorted(one)[number]) for one in expected]
                if any(pair and None in pair for pair in pairs):
                    wrong.append(f"half a pair: {pairs}")

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(24):
        assert store.replace(generations[(turn + 1) % 2])
    stop.set()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert all(seen)


def test_content_that_somebody_changed_is_written_anew(
    basex: OwnBasex,  # noqa: F811
) -> None:
    store = XmldbStore(basex.server, "changed")
    store.replace(content())
    basex.command('XQUERY delete node collection("changed/store.xml")//*:metadata[@id="interface"]')
    assert ids(store, asked("")) == ALL[:-1]
    assert store.replace(content())
    assert ids(store, asked("")) == ALL


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"a": 1}', '{"a": ["b"]}'])
def test_a_key_hash_that_somebody_changed_is_written_anew(
    basex: OwnBasex,  # noqa: F811
    text: str,
) -> None:
    store = XmldbStore(basex.server, "keys")
    store.replace(content())
    [first, *_] = keys(store)
    change = f"replace value of node collection('keys/keys.xml')/keys with '{text}'"
    basex.command(f"XQUERY {change}" if text else "XQUERY db:delete('keys', 'keys.xml')")
    again = XmldbStore(basex.server, "keys")
    with again.opened() as opened, pytest.raises(StoreUnreadable, match="built anew"):
        opened.by_key(first)
    assert again.replace(content())
    assert not again.replace(content())
    for one in (store, again):
        with one.opened() as opened:
            assert opened.by_key(first)


def test_what_is_gone_though_its_key_is_known_is_told(basex: OwnBasex) -> None:  # noqa: F811
    store = XmldbStore(basex.server, "gone")
    store.replace(content())
    first, second, third, *_ = keys(store)
    with store.opened() as opened:
        assert opened.by_key(first)
    for what in ('data[@id="data-0"]', 'metadata[@id="metadata-1"]'):
        basex.command(f'XQUERY delete node collection("gone/store.xml")//*:{what}')
    basex.command('XQUERY delete node collection("gone/store.xml")//*[ends-with(@id, "-2")]')
    with store.opened() as opened:
        pairs = [opened.by_key(one) for one in (first, second, third)]
    assert None not in pairs
    of_data, of_metadata, of_both = (pair for pair in pairs if pair)
    assert of_data.data is None
    assert of_data.metadata is not None
    assert of_metadata.metadata is None
    assert of_metadata.data is not None
    assert of_metadata.data.metadata_id == "metadata-1"
    assert of_both == (None, None)


def test_a_connection_lasts_as_long_as_a_request(basex: OwnBasex) -> None:  # noqa: F811
    def sessions() -> int:
        return basex.command("SHOW SESSIONS").count(basex.server.user)

    store = XmldbStore(basex.server, "sessions")
    store.replace(content())
    with store.opened() as opened:
        opened.search(asked(""))
        opened.by_key("0" * 32)
        assert sessions() == 1
    with pytest.raises(LookupError), store.opened():
        raise LookupError
    assert until(lambda: sessions() == 0, what="no session is left")


@pytest.mark.parametrize("name", ["", "a/b", "../a", 'a"', "a b", "{a}", "-a", "a" * 101, "ä"])
def test_a_database_is_named_in_letters_and_digits(basex: OwnBasex, name: str) -> None:  # noqa: F811
    with pytest.raises(ValueError, match="no name of a database"):
        XmldbStore(basex.server, name)
    assert XmldbStore(basex.server, "a_B-9").name == "a_B-9"
