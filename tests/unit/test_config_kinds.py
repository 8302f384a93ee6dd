"""Kinds of values: what they take, what they refuse, and how they are shown."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.config.groups import clark_name
from aggregator.config.kinds import Kind, Refused, shown
from aggregator.config.measures import duration, show_duration, show_size, size
from aggregator.config.places import database_url, host, network, web_address


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("90", 90),
        (" 0.5 ", 0.5),
        ("250ms", 0.25),
        ("1.1s", 1.1),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d 2h 3m 4s", 93784),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert duration(0).read(value) == seconds


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), ("512", 512), ("4KiB", 4096), ("1.5 MiB", 3 * 2**19), ("2MB", 2_000_000), ("7B", 7)],
)
def test_sizes(value: object, number: int) -> None:
    assert size(0, 2**40).read(value) == number


REFUSED: list[tuple[Kind[Any], list[object]]] = [
    (duration(0), ["", "s", "-1s", "1w", "1e3", "nan", "1s,2s", -1, [], True, None]),
    (duration(0), [float("nan"), float("inf")]),
    (duration(1, or_zero=True), [0.5, -1]),
    (size(0, 2**40), ["", "4M", "4mib", "-1", 1.0, True, "0.5B", "1e3"]),
    (host(), ["", "a b", "h:80", "[::1]", "http://h", "-h", 5]),
    (network(), ["", "10.0.0.0/33", "10.0.0.1/8", 10, "example.org"]),
    (web_address(), ["grid.example.org", "//h", "http://", "http://h:x", "http://u@h", 1]),
    (web_address(), ["http://h?a", "http://h#b", "http://h/ c", "http://h:0", 'http://"h']),
    (database_url(), ["a.db", "mysql://h/d", "sqlite://", "sqlite:///:memory:", 5]),
    (clark_name(), ["", "{}a", "{urn:a}", "a:b", "1a", "{a}b c", 1]),
]


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in REFUSED for value in values]
)
def test_refused(kind: Kind[Any], value: object) -> None:
    with pytest.raises(Refused) as caught:
        kind.read(value)
    assert all(fault.text for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (duration(1, or_zero=True), 0, 0.0),
        (host(), "grid.example.org", "grid.example.org"),
        (host(), "2001:db8::1", "2001:db8::1"),
        (network(), "10.0.0.1", "10.0.0.1/32"),
        (network(), "FE80::/10", "fe80::/10"),
        (web_address(), "", ""),
        (web_address(), "http://[::1]:8080", "http://[::1]:8080"),
        (web_address(), "https://h/a/b//", "https://h/a/b"),
        (database_url(), "", ""),
        (database_url(), "postgresql+psycopg://u:p@h/d?x=1", "postgresql+psycopg://u:p@h/d?x=1"),
        (database_url(), "sqlite:///a.db", "sqlite:///a.db"),
        (clark_name(), "{urn:a}Größe.b-c_1", "{urn:a}Größe.b-c_1"),
        (clark_name(or_empty=True), "", ""),
    ],
)
def test_taken(kind: Kind[Any], value: object, read: object) -> None:
    assert kind.read(value) == read


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0"),
        (0.1, "100ms"),
        (1.5, "1500ms"),
        (30, "30s"),
        (90, "90s"),
        (3600, "1h"),
        (86400, "1d"),
    ],
)
def test_durations_are_shown_in_a_form_that_is_read(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text
    assert duration(0).read(text) == seconds


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (1000, "1000B"), (2**20, "1MiB")])
def test_sizes_are_shown_in_a_form_that_is_read(number: int, text: str) -> None:
    assert show_size(number) == text
    assert size(0, 2**40).read(text) == number


def test_long_values_are_cut_in_messages() -> None:
    assert shown("x" * 1000) == '"' + "x" * 56 + "..."
    assert shown(["a", True, 1.5]) == '["a", true, 1.5]'
