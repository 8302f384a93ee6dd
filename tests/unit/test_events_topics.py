"""Topics, patterns and names are made and matched by the rules of AMQP and of the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import EventNotReady
from aggregator.events import get_events_exchange_point
from aggregator.events.settings import from_environment, queue_of_system, shown
from aggregator.events.topics import binding, matches, topic


@pytest.mark.parametrize(
    ("event_id", "origin", "pattern"),
    [
        (None, None, "*.#"),
        (1001, None, "1001.#"),
        (1001, "ucsd", "1001.ucsd"),
        (None, "ucsd", "*.ucsd"),
        (3003, "chan1.agent.357", "3003.chan1.agent.357"),
    ],
)
def test_what_is_not_given_matches_anything(
    event_id: int | None, origin: str | None, pattern: str
) -> None:
    assert binding(event_id, origin) == pattern


def test_a_topic_needs_both() -> None:
    assert topic(1001, "ucsd") == "1001.ucsd"
    for event_id, origin in ((None, "ucsd"), (1001, None), (1001, "")):
        with pytest.raises(EventNotReady):
            topic(event_id, origin)


def test_a_topic_is_no_longer_than_a_broker_takes() -> None:
    assert topic(1001, "x" * 250)
    with pytest.raises(ValueError, match="at most 255"):
        topic(1001, "é" * 126)


@pytest.mark.parametrize(
    ("pattern", "key", "matched"),
    [
        ("1001.#", "1001.a", True),
        ("1001.#", "1001", True),
        ("1001.#", "1001.a.b", True),
        ("1001.#", "1051.a", False),
        ("*.#", "1001.chan1.x", True),
        ("*.#", "1001", True),
        ("*.ucsd", "1001.ucsd", True),
        ("*.ucsd", "1001.a.ucsd", False),
        ("*.ucsd", "ucsd", False),
        ("1001.chan1", "1001.chan1.x", False),
        ("1001.*", "1001.a.b", False),
        ("1001.*.357", "1001.a.357", True),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("#.c", "a.b.c", True),
        ("#.c", "c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.b.c", True),
        ("a.#.c", "a.b", False),
        ("#.b.#", "a.b.c", True),
        ("#.#.b", "b", True),
        ("#.x.#", "a.b.c", False),
        ("*", "a.b", False),
        ("a", "a", True),
    ],
)
def test_patterns_match_as_at_a_topic_exchange(pattern: str, key: str, matched: bool) -> None:
    assert matches(pattern, key) is matched


words = st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=6)


def plainly(pattern: list[str], key: list[str]) -> bool:
    """The rule, as it is told."""
    if not pattern:
        return not key
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(plainly(rest, key[n:]) for n in range(len(key) + 1))
    return bool(key) and head in ("*", key[0]) and plainly(rest, key[1:])


@given(words, st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=6))
def test_matching_is_the_rule(pattern: list[str], key: list[str]) -> None:
    assert matches(".".join(pattern), ".".join(key)) is plainly(pattern, key)


def test_many_wildcards_take_no_time() -> None:
    assert not matches("#." * 60 + "x", ".".join("a" * 120))


@pytest.mark.parametrize(
    ("name", "system", "on_the_broker"),
    [
        ("alerts", "ion", "ion.alerts"),
        ("ion.alerts", "ion", "ion.alerts"),
        ("ionX", "ion", "ionX"),
        ("alerts", "", "alerts"),
        (None, "ion", ""),
        (None, "", ""),
    ],
)
def test_queues_are_named_after_their_system(
    name: str | None, system: str, on_the_broker: str
) -> None:
    assert queue_of_system(name, system) == on_the_broker


def test_the_exchange_is_named_after_the_system() -> None:
    assert get_events_exchange_point("ion") == "ion.events.topic"
    assert get_events_exchange_point("") == "events.topic"


def test_the_environment_names_system_and_broker() -> None:
    found = from_environment(
        {"AGGREGATOR_EVENTS_SYSTEM": "ion", "AGGREGATOR_EVENTS_BROKER": "amqp://h"}
    )
    assert (found.sys_name, found.broker) == ("ion", "amqp://h")
    assert (from_environment({}).sys_name, from_environment({}).broker) == ("", "")


def test_a_password_is_not_shown() -> None:
    assert shown("amqp://me:secret@h:1/v;amqps://me:p@ss@i/") == "amqp://h:1/v;amqps://i/"
    assert shown("me:secret@h") == "h"
    assert shown("amqp://me:se/cret@h/v?password=secret") == "amqp://h/v"
